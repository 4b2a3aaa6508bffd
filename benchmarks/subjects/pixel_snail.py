"""The prior of a VQ-VAE's codes: 7x7 of 128, two blocks with attention."""

import math

import keras
import numpy as np
import tensorflow as tf

import keras_vae
from benchmarks.subjects import by_hand
from benchmarks.subjects.subject import Subject
from benchmarks.subjects.subject import training
from recipes import vq_vae_oord2017

# The defaults of the model.
KEY_DIM, VALUE_DIM = 16, 128


class PixelSNAIL(Subject):
    """The sizes of the recipe of VQ-VAEs."""

    defaults = vq_vae_oord2017.Config(**vq_vae_oord2017.PRESETS["mnist"])
    event_shape = (7, 7)
    examples = 6400

    def arrays(self, num):
        rng = np.random.default_rng(0)
        top = self.sizes.num_embeddings
        return training(rng.integers(0, top, (num, *self.event_shape), "int32"))

    def optimizer(self):
        return keras.optimizers.Adam(self.sizes.prior_rate)

    def model(self):
        sizes = self.sizes
        return keras_vae.PixelSNAIL(
            self.event_shape,
            sizes.num_embeddings,
            sizes.prior_heads,
            filters=sizes.prior_filters,
            num_blocks=sizes.prior_blocks,
            num_residual=sizes.prior_residual,
            key_dim=KEY_DIM,
            value_dim=VALUE_DIM,
            seed=sizes.seed,
        )

    def objective(self):
        return PixelSNAILObjective(self)


class PixelSNAILObjective(by_hand.Objective):
    names = ("loss", "neg_elbo", "neg_log_likelihood", "nats_per_code")

    def __init__(self, subject):
        super().__init__(subject)
        sizes, size = subject.sizes, subject.event_shape
        filters = sizes.prior_filters
        self._positions = math.prod(size)
        self._embedding = keras.layers.Embedding(sizes.num_embeddings, filters)
        self._embedding.build((None, *size))
        self._above = _convolution(filters + 1, filters, (1, 3))
        self._left = _convolution(filters + 1, filters, 1, use_bias=False)
        self._place = by_hand.dense(2, filters, use_bias=False)
        self._blocks = [
            _Block(filters, sizes.prior_residual, sizes.prior_heads)
            for _ in range(sizes.prior_blocks)
        ]
        self._output = by_hand.dense(
            filters, sizes.num_embeddings, dtype="float32"
        )
        layers = [self._embedding, self._above, self._left, self._place]
        for block in self._blocks:
            layers += block.layers
        self.variables = by_hand.trainable(*layers, self._output)
        axes = [(np.arange(n) - n / 2) / n for n in size]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        self._grid = tf.constant(grid[np.newaxis], "float32")

    def losses(self, x):
        content = self._embedding(x)
        content = tf.concat([content, tf.ones_like(content[..., :1])], -1)
        grid = tf.cast(self._grid, content.dtype)
        h = self._above(_pad(content[:, :-1], 1, 1, 1))
        h += self._left(_pad(content[:, :, :-1], 0, 1, 0)) + self._place(grid)
        grid = tf.tile(grid, [tf.shape(x)[0], 1, 1, 1])
        for block in self._blocks:
            h = block(h, content, grid)
        logits = self._output(tf.nn.elu(h))
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(x, logits)
        loss = tf.reduce_sum(nats, axis=[1, 2])
        return by_hand.minimise(
            loss,
            neg_elbo=loss,
            neg_log_likelihood=loss,
            nats_per_code=loss / self._positions,
        )


class _Block:
    """Gated causal convolutions, then attention to what came before."""

    def __init__(self, filters, num_residual, heads):
        self._residuals = [
            (
                _convolution(filters, filters, 2),
                _convolution(filters, 2 * filters, 2),
            )
            for _ in range(num_residual)
        ]
        self._heads = heads
        query, key = filters + 2, 2 * filters + 3
        self._query = by_hand.dense(query, heads * KEY_DIM)
        self._key = by_hand.dense(key, heads * KEY_DIM)
        self._value = by_hand.dense(key, VALUE_DIM)
        self._of_key, self._of_query, self._merge = (
            (by_hand.dense(width, filters), by_hand.dense(filters, 2 * width))
            for width in (key, query, filters)
        )
        self._side = by_hand.dense(VALUE_DIM, filters, use_bias=False)
        self.layers = [layer for pair in self._residuals for layer in pair]
        self.layers += [self._query, self._key, self._value]
        self.layers += [*self._of_key, *self._of_query, *self._merge]
        self.layers.append(self._side)

    def __call__(self, x, content, grid):
        for first, second in self._residuals:
            hidden = tf.nn.elu(first(_pad(tf.nn.elu(x), 1, 1, 0)))
            x = _gated(x, second(_pad(hidden, 1, 1, 0)))
        key = _linear(self._of_key, tf.concat([content, x, grid], axis=-1))
        query = _linear(self._of_query, tf.concat([x, grid], axis=-1))
        mixed = self._attend(query, key)
        side = self._side(tf.nn.elu(mixed))
        return _linear(self._merge, x, side)

    def _attend(self, query, key):
        height, width = query.shape[1:3]
        positions = height * width

        def split(x):
            x = tf.reshape(
                x, [-1, positions, self._heads, x.shape[-1] // self._heads]
            )
            return tf.transpose(x, [0, 2, 1, 3])

        value = split(self._value(key))
        query, key = split(self._query(query)), split(self._key(key))
        scores = tf.matmul(query / math.sqrt(KEY_DIM), key, transpose_b=True)
        before = np.tri(positions, k=-1)
        scores = tf.cast(scores, "float32") + np.where(before, 0.0, -1e9)
        weights = tf.cast(tf.nn.softmax(scores), value.dtype)
        # Nothing is before the first.
        weights *= tf.constant(before.any(1)[:, np.newaxis], value.dtype)
        mixed = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        return tf.reshape(mixed, [-1, height, width, VALUE_DIM])


def _convolution(channels, filters, kernel_size, use_bias=True):
    layer = keras.layers.Conv2D(filters, kernel_size, use_bias=use_bias)
    layer.build((None, None, None, channels))
    return layer


def _pad(x, top, left, right):
    return tf.pad(x, [[0, 0], [top, 0], [left, right], [0, 0]])


def _gated(x, change):
    change, gate = tf.split(change, 2, axis=-1)
    return x + change * tf.sigmoid(gate)


def _linear(layers, x, side=None):
    first, second = layers
    hidden = first(tf.nn.elu(x))
    if side is not None:
        hidden += side
    return _gated(x, second(tf.nn.elu(hidden)))
