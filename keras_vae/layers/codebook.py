"""The vectors of a quantizer and how training moves them."""

from typing import Any

import keras
import tensorflow as tf

from keras_vae import random
from keras_vae.layers.nearest_codes import nearest_codes
from keras_vae.metrics.codebook_usage import count_codes
from keras_vae.random import Noise
from keras_vae.typing import Shape


@keras.saving.register_keras_serializable(package="keras_vae")
class Codebook(keras.layers.Layer):
    """State of a `VectorQuantizer`, see there for the arguments.

    In one training step `begin` comes before `nearest`, `move` after it.
    Every number that moves a code is a sum over all replicas, and weights are
    assigned outside of any condition: collectives must not be in one.
    """

    def __init__(
        self,
        num_embeddings: int,
        dim: int,
        ema_decay: float | None,
        epsilon: float,
        init_batches: int,
        dead_threshold: float,
        unit_length: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.num_embeddings = num_embeddings
        self.dim = dim
        self.by_gradient = ema_decay is None
        # Usage is known by its average, whatever moves the codes.
        self.decay = 0.99 if ema_decay is None else ema_decay
        self.epsilon = epsilon
        self.init_batches = init_batches
        self.dead_threshold = dead_threshold
        self.unit_length = unit_length

    def build(self, input_shape: Shape | None = None) -> None:
        shape = (self.num_embeddings, self.dim)
        self.vectors = self._add("vectors", shape, self.by_gradient)
        self.ema_counts = self._add("ema_counts", shape[:1])
        self.ema_sums = None
        if not self.by_gradient or self.init_batches:
            self.ema_sums = self._add("ema_sums", shape)
        self.ema_weight = self._add("ema_weight", ())
        self.updates = self.add_weight(
            name="updates",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def _add(self, name, shape, trainable=False):
        return self.add_weight(
            name=name,
            shape=shape,
            dtype="float32",
            initializer=keras.initializers.VarianceScaling(
                distribution="uniform"
            )
            if name == "vectors"
            else "zeros",
            trainable=trainable,
            autocast=False,
            aggregation="mean",
        )

    def read(self) -> tf.Tensor:
        """The codes: float32 (K, dim)."""
        vectors = tf.convert_to_tensor(self.vectors)
        if self.unit_length:
            return tf.math.l2_normalize(vectors, axis=-1)
        return vectors

    def nearest(self, flat: tf.Tensor) -> tf.Tensor:
        """Index of the nearest code of each row: int32 (n,)."""
        return nearest_codes(flat, self.read())

    def count(self, indices: tf.Tensor) -> tf.Tensor:
        """How often each code was chosen on this replica: float32 (K,)."""
        return count_codes(indices, self.num_embeddings)

    def begin(self, flat: tf.Tensor, noise: Noise) -> tf.Tensor:
        """Vectors to put codes upon (K, dim); the first step puts all."""
        candidates = tf.stop_gradient(self._draw(flat, noise))
        if self.init_batches:
            first = tf.equal(tf.convert_to_tensor(self.updates), 0)
            vectors = tf.convert_to_tensor(self.vectors)
            self.vectors.assign(tf.where(first, candidates, vectors))
        return candidates

    def _draw(self, flat, noise):
        """K rows of the global batch, distinct where it has as many."""
        rows = tf.shape(flat)[0]
        first, total = random.global_span(rows)
        shift = _below(total, noise.shared_uniform([1]))
        # One row of each of K parts of the batch. Integers: of many rows two
        # parts would round to the same row.
        ends = tf.range(self.num_embeddings + 1, dtype="int64")
        ends = ends * tf.cast(total, "int64") // self.num_embeddings
        ends = tf.cast(ends, "int32")
        sizes = tf.maximum(ends[1:] - ends[:-1], 1)
        place = noise.shared_uniform([self.num_embeddings])
        position = ends[:-1] + _below(sizes, place) + shift
        position = tf.where(position < total, position, position - total)
        position -= first
        mine = tf.logical_and(position >= 0, position < rows)
        # A replica without examples has no row to point at.
        flat = tf.pad(flat, [[0, 1], [0, 0]])
        taken = tf.gather(flat, tf.where(mine, position, rows))
        return random.all_reduce_sum(taken)

    def move(
        self,
        flat: tf.Tensor,
        indices: tf.Tensor,
        counts: tf.Tensor,
        candidates: tf.Tensor,
    ) -> None:
        """One step of the averages, and of the codes that follow them.

        Args:
            flat: float32 tensor (n, dim), the vectors of this replica.
            indices: int32 tensor (n,), the codes that they chose.
            counts: float32 tensor (K,), as `count` gives them.
            candidates: float32 tensor (K, dim), as `begin` gives them.
        """
        sums = [counts]
        if self.ema_sums is not None:
            flat = tf.stop_gradient(flat)
            sums.append(
                tf.math.unsorted_segment_sum(flat, indices, self.num_embeddings)
            )
        sums = random.all_reduce_sum(sums)
        weight = self._average(self.ema_weight, 1.0)
        counts = self._average(self.ema_counts, sums[0])
        # Zero-debiased: averages of what there was so far.
        usage = counts / weight
        vectors = tf.convert_to_tensor(self.vectors)
        new = vectors
        if self.ema_sums is not None:
            average = self._average(self.ema_sums, sums[1])
            new = average / weight + self.epsilon * self.read()
            new /= usage[:, tf.newaxis] + self.epsilon
            if self.by_gradient:
                early = tf.convert_to_tensor(self.updates) < self.init_batches
                new = tf.where(early, new, vectors)
            elif self.unit_length:
                new = tf.math.l2_normalize(new, axis=-1)

        mean = tf.reduce_sum(usage) / self.num_embeddings
        dead = usage < self.dead_threshold * mean
        column = dead[:, tf.newaxis]
        new = tf.where(column, candidates, new)
        # A small mass: it soon moves to the vectors that choose it, or is
        # found dead again.
        mass = 2.0 * self.dead_threshold * mean * weight
        self.ema_counts.assign(tf.where(dead, mass, counts))
        if self.ema_sums is not None:
            self.ema_sums.assign(tf.where(column, mass * candidates, average))
        self.ema_weight.assign(weight)
        self.vectors.assign(new)
        self.updates.assign_add(1)

    def _average(self, variable, value):
        old = tf.convert_to_tensor(variable)
        return self.decay * old + (1.0 - self.decay) * value


def _below(limit, uniform):
    """Integers from 0 to limit - 1, of numbers in [0, 1)."""
    drawn = tf.cast(uniform * tf.cast(limit, "float32"), "int32")
    # The product may round up to the limit; that of no rows is 0.
    return tf.maximum(tf.minimum(drawn, limit - 1), 0)
