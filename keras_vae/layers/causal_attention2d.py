import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.layers.cache import write
from keras_vae.typing import Initializer
from keras_vae.typing import Scalar
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike

# Finite, or the first position had no weights; its exponential is 0.
_MASKED = -1e9


@keras.saving.register_keras_serializable(package="keras_vae")
class CausalAttention2D(keras.layers.Layer):
    """Attention of every position to those strictly before, in raster order.

    y_i = [sum_{j < i} softmax_j(q_hi . k_hj / sqrt(key_dim)) v_hj]_h

    for heads h, side by side; q, k and v are linear in the inputs. The first
    position attends to nothing: its output is 0. As a position does not see
    itself, the features of the keys may depend on it.

    `init_cache`, `write` and `read` compute one position at a time, as a
    sampler needs it.

    Args:
        num_heads: int, number of heads.
        key_dim: int, size of queries and keys of one head.
        value_dim: int, size of the values of all heads; a multiple of
            `num_heads`.
        kernel_initializer: of the projections.

    Call arguments:
        inputs: list of two float tensors: features that make the queries,
            and features that make keys and values.

    Input shape:
        Two tensors (batch, height, width, channels), channels may differ.

    Output shape:
        (batch, height, width, value_dim)

    Raises:
        ValueError: if a size is not positive, or `num_heads` does not divide
            `value_dim`.

    Example:
    >>> layer = keras_vae.layers.CausalAttention2D(2, key_dim=3, value_dim=4)
    >>> y = layer([np.ones((1, 2, 2, 5)), np.ones((1, 2, 2, 6))])
    >>> y.shape, float(tf.reduce_max(tf.abs(y[:, 0, 0])))
    (TensorShape([1, 2, 2, 4]), 0.0)

    Reference:
        Chen, Mishra, Rohaninejad, Abbeel, 2018, section 2; Vaswani et al.,
        2017, section 3.2, for several heads.
    """

    def __init__(
        self,
        num_heads: int = 8,
        key_dim: int = 16,
        value_dim: int = 128,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = positive_int("num_heads", num_heads)
        self.key_dim = positive_int("key_dim", key_dim)
        self.value_dim = positive_int("value_dim", value_dim)
        if value_dim % num_heads:
            raise ValueError(
                "`value_dim` must be a multiple of `num_heads`. "
                f"Received: value_dim={value_dim}, num_heads={num_heads}"
            )
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        sizes = {
            "query": num_heads * key_dim,
            "key": num_heads * key_dim,
            "value": value_dim,
        }
        self._query, self._key, self._value = (
            keras.layers.Dense(
                size,
                kernel_initializer=self.kernel_initializer.clone(),
                dtype=self.dtype_policy,
                name=name,
            )
            for name, size in sizes.items()
        )

    def build(self, input_shape: Sequence[Shape]) -> None:
        query_shape, key_shape = input_shape
        if tuple(query_shape)[:-1] != tuple(key_shape)[:-1]:
            raise ValueError(
                "Queries and keys must have the same positions. "
                f"Received: input_shape={input_shape}"
            )
        self._positions = math.prod(n or 0 for n in query_shape[1:3])
        self._query.build(query_shape)
        self._key.build(key_shape)
        self._value.build(key_shape)

    def call(self, inputs: Sequence[TensorLike]) -> tf.Tensor:
        query, key = inputs
        size = tf.unstack(tf.shape(query))[:3]
        positions = size[1] * size[2]
        query, key, value = (
            self._split(layer(x), positions)
            for layer, x in (
                (self._query, query),
                (self._key, key),
                (self._value, key),
            )
        )
        index = tf.range(positions)[:, tf.newaxis]
        mixed = self._attend(query, key, value, index)
        return tf.reshape(self._merge(mixed), [*size, self.value_dim])

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return (*input_shape[0][:-1], self.value_dim)

    def _split(self, x, positions):
        """(batch, ..., heads * d) to (batch, heads, positions, d)."""
        size = x.shape[-1] // self.num_heads
        x = tf.reshape(x, [-1, positions, self.num_heads, size])
        return tf.transpose(x, [0, 2, 1, 3])

    def _merge(self, x):
        """(batch, heads, positions, d) to (batch, positions, heads * d)."""
        positions = tf.shape(x)[2]
        x = tf.transpose(x, [0, 2, 1, 3])
        return tf.reshape(x, [-1, positions, self.value_dim])

    def _attend(self, query, key, value, index):
        """Mixed values of all positions before `index`, of shape (queries, 1).

        Scores are the largest tensor by far, and small operations on them
        take the time: there are as few as can be.
        """
        query = query / math.sqrt(self.key_dim)
        scores = tf.cast(tf.matmul(query, key, transpose_b=True), "float32")
        before = tf.range(tf.shape(key)[2]) < index
        weights = tf.nn.softmax(scores + tf.where(before, 0.0, _MASKED))
        mixed = tf.matmul(tf.cast(weights, value.dtype), value)
        # Where nothing is before, the weights are equal, and not 0.
        return mixed * tf.cast(index > 0, mixed.dtype)

    # === One position at a time ===

    def init_cache(self, batch_size: Scalar) -> list[tf.Tensor]:
        """Empty keys and values of all positions.

        Args:
            batch_size: int or scalar tensor.
        """
        rows = [batch_size, self.num_heads, self._positions]
        sizes = (self.key_dim, self.value_dim // self.num_heads)
        return [tf.zeros([*rows, size], self.compute_dtype) for size in sizes]

    def write(
        self, cache: list[tf.Tensor], x: TensorLike, index: Scalar
    ) -> list[tf.Tensor]:
        """The cache with keys and values at a position.

        Args:
            cache: list of tensors, as `init_cache` gives it.
            x: tensor (batch, channels), features that make them.
            index: scalar int32 tensor, position in raster order.
        """
        x = x[:, tf.newaxis]
        new = [self._split(layer(x), 1) for layer in (self._key, self._value)]
        return [
            write(old, entry, index, axis=2)
            for old, entry in zip(cache, new, strict=True)
        ]

    def read(
        self, cache: list[tf.Tensor], query: TensorLike, index: Scalar
    ) -> tf.Tensor:
        """The output at a position: tensor (batch, value_dim).

        Args:
            cache: list of tensors that hold what comes before `index`.
            query: tensor (batch, channels), features of the position.
            index: scalar int32 tensor.
        """
        query = self._split(self._query(query[:, tf.newaxis]), 1)
        index = tf.reshape(index, [1, 1])
        keys, values = cache
        return self._merge(self._attend(query, keys, values, index))[:, 0]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
