"""A TD-VAE of moving digits of 8x8, the sizes of its recipe."""

import math

import keras
import tensorflow as tf

from benchmarks.subjects import by_hand
from benchmarks.subjects.subject import Subject
from benchmarks.subjects.subject import training
from keras_vae import datasets
from recipes import td_vae_gregor2019


class TDVAE(Subject):
    """Two levels, an LSTM as belief network."""

    defaults = td_vae_gregor2019.Config()
    event_shape = (defaults.length, 8, 8, 1)
    examples = 2000

    def arrays(self, num):
        images = datasets.load_arrays("digits").x_train
        x, _ = datasets.moving_images(
            (images > 0.5).astype("uint8"), num, self.event_shape[0]
        )
        return training(x)

    def model(self):
        return td_vae_gregor2019.build(self.sizes, self.event_shape[1:])

    def objective(self):
        return TDVAEObjective(self)


class TDVAEObjective(by_hand.Objective):
    """Two levels; `_pair` has the layers of both."""

    names = (
        "loss",
        "neg_elbo",
        "reconstruction_loss",
        "belief_kl_loss",
        "transition_loss",
    )

    def __init__(self, subject):
        super().__init__(subject)
        sizes = self._sizes = subject.sizes
        self._steps, *event = subject.event_shape
        self._pixels = math.prod(event)
        self._low, self._top = sizes.latent_dims
        state, belief = self._low + self._top, sizes.belief_units
        (features,) = sizes.features
        self._features = by_hand.dense(self._pixels, features, "relu")
        self._lstm = keras.layers.LSTM(belief, return_sequences=True)
        self._lstm.build((None, None, features))
        self._belief = self._pair(belief)
        self._smoothing = self._pair(2 * belief + state + 2)
        self._transition = self._pair(state + 2)
        first, second = sizes.decoder_units
        self._decoder = [
            by_hand.dense(state, first, "relu"),
            by_hand.dense(first, second, "relu"),
            by_hand.dense(second, self._pixels),
        ]
        parts = [self._lstm, *self._decoder, self._features]
        for top, low in (self._belief, self._smoothing, self._transition):
            parts += [*low, *top]
        self.variables = by_hand.trainable(*parts)

    def _pair(self, width):
        """Layers of the top level's block, and of the low level's."""
        hidden = self._sizes.hidden_units
        return [
            (
                by_hand.dense(width + more, 2 * hidden, dtype="float32"),
                by_hand.dense(hidden, 2 * size, dtype="float32"),
            )
            for size, more in ((self._top, 0), (self._low, self._top))
        ]

    def losses(self, x):
        batch, pairs = tf.shape(x)[0], self._sizes.num_pairs
        flat = tf.reshape(x, [-1, self._steps, self._pixels])
        beliefs = tf.cast(self._lstm(self._features(flat)), "float32")
        count = batch * pairs
        least, largest = self._sizes.jump_range
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
        loss = by_hand.cross_entropy(logits, tf.gather_nd(flat, late))
        loss, kl, ratio = (
            tf.reduce_mean(tf.reshape(value, [pairs, batch]), axis=0)
            for value in (loss, kl, ratio)
        )
        total = loss + kl + ratio
        return by_hand.minimise(
            total,
            neg_elbo=total,
            reconstruction_loss=loss,
            belief_kl_loss=kl,
            transition_loss=ratio,
        )


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
