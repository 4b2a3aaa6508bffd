"""A TD-VAE to measure: moving digits of 8x8, the sizes of its recipe."""

import math

import keras
import tensorflow as tf

from keras_vae import datasets
from recipes import td_vae_gregor2019

CONFIG = td_vae_gregor2019.Config()
LEARNING_RATE = CONFIG.learning_rate


def arrays(num):
    """Videos to train on, as `datasets.Arrays`."""
    images = datasets.load_arrays("digits").x_train
    x, _ = datasets.moving_images(
        (images > 0.5).astype("uint8"), num, CONFIG.length
    )
    return datasets.Arrays(x, None, x[:0], None, x[:1], None)


def model_for(event_shape):
    """The library's model, not compiled."""
    return td_vae_gregor2019.build(CONFIG, event_shape[1:])


class Objective:
    """The same by hand for two levels, see `HandWrittenLoop`."""

    names = ("reconstruction_loss", "belief_kl_loss", "transition_loss")
    learning_rate = LEARNING_RATE

    def __init__(self, event_shape):
        self._steps, *event = event_shape
        self._pixels = math.prod(event)
        self._low, self._top = CONFIG.latent_dims
        state, belief = self._low + self._top, CONFIG.belief_units
        (features,) = CONFIG.features
        self._features = _dense(self._pixels, features, "relu")
        self._lstm = keras.layers.LSTM(belief, return_sequences=True)
        self._lstm.build((None, None, features))
        self._belief = self._pair(belief)
        self._smoothing = self._pair(2 * belief + state + 2)
        self._transition = self._pair(state + 2)
        first, second = CONFIG.decoder_units
        self._decoder = [
            _dense(state, first, "relu"),
            _dense(first, second, "relu"),
            _dense(second, self._pixels),
        ]
        parts = [self._features, self._lstm, *self._decoder]
        for pair in (self._belief, self._smoothing, self._transition):
            parts += [layer for block in pair for layer in block]
        self.variables = [v for p in parts for v in p.trainable_variables]

    def _pair(self, width):
        """Layers of the top level's block, and of the low level's."""
        hidden = CONFIG.hidden_units
        return [
            (_dense(width + more, 2 * hidden), _dense(hidden, 2 * size))
            for size, more in ((self._top, 0), (self._low, self._top))
        ]

    def terms(self, x):
        batch, pairs = tf.shape(x)[0], CONFIG.num_pairs
        flat = tf.reshape(x, [-1, self._steps, self._pixels])
        beliefs = self._lstm(self._features(flat))
        count = batch * pairs
        least, largest = CONFIG.jump_range
        jump = tf.random.uniform([count], least, largest + 1, "int32")
        spare = tf.cast(self._steps - jump, "float32")
        first = tf.cast(spare * tf.random.uniform([count]), "int32")
        rows = tf.tile(tf.range(batch), [pairs])
        early, late = (
            tf.stack([rows, t], axis=1) for t in (first, first + jump)
        )
        b_1, b_2 = (tf.gather_nd(beliefs, index) for index in (early, late))
        told = tf.cast(jump, "float32")[:, None]
        told = [told / largest, tf.math.log1p(told) / math.log1p(largest)]

        top, low = self._belief
        top_2 = _normal(top, b_2)
        z_top_2 = _sample(top_2)
        low_2 = _normal(low, b_2, z_top_2)
        z_2 = _sample(low_2)
        given = (b_1, b_2, z_2, z_top_2, *told)
        top_1 = _normal(self._smoothing[0], *given)
        z_top_1 = _sample(top_1)
        low_1 = _normal(self._smoothing[1], *given, z_top_1)
        given = (_sample(low_1), z_top_1, *told)
        kl = _kl(top_1, _normal(top, b_1))
        kl += _kl(low_1, _normal(low, b_1, z_top_1))
        ratio = _log_prob(z_top_2, top_2) + _log_prob(z_2, low_2)
        ratio -= _log_prob(z_top_2, _normal(self._transition[0], *given))
        given = (*given, z_top_2)
        ratio -= _log_prob(z_2, _normal(self._transition[1], *given))
        logits = tf.concat([z_2, z_top_2], axis=-1)
        for layer in self._decoder:
            logits = layer(logits)
        target = tf.gather_nd(flat, late)
        loss = tf.reduce_sum(tf.nn.softplus(logits) - target * logits, axis=-1)
        values = (loss, kl, ratio)
        return {
            name: tf.reduce_mean(tf.reshape(value, [pairs, batch]), axis=0)
            for name, value in zip(self.names, values)
        }


def _dense(width, units, activation=None):
    layer = keras.layers.Dense(units, activation)
    layer.build((None, width))
    return layer


def _normal(block, *inputs):
    """Mean and log of the scale."""
    hidden, head = block
    value, gate = tf.split(hidden(tf.concat(inputs, axis=-1)), 2, axis=-1)
    return tf.split(head(tf.tanh(value) * tf.sigmoid(gate)), 2, axis=-1)


def _sample(normal):
    mean, log_scale = normal
    return mean + tf.exp(log_scale) * tf.random.normal(tf.shape(mean))


def _log_prob(z, normal):
    mean, log_scale = normal
    error = (z - mean) * tf.exp(-log_scale)
    constant = 0.5 * math.log(2.0 * math.pi)
    return -tf.reduce_sum(0.5 * error**2 + log_scale + constant, axis=-1)


def _kl(q, p):
    (mean, log_scale), (other, other_log_scale) = q, p
    ratio = log_scale - other_log_scale
    error = (mean - other) * tf.exp(-other_log_scale)
    terms = 0.5 * (tf.exp(2.0 * ratio) + error**2 - 1.0) - ratio
    return tf.reduce_sum(terms, axis=-1)
