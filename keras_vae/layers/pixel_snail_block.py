from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.layers.causal_attention2d import CausalAttention2D
from keras_vae.layers.gated_residual import GatedResidual
from keras_vae.typing import Scalar
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class PixelSNAILBlock(keras.layers.Layer):
    """Gated causal convolutions, then attention to all that came before.

    h = residual_n(... residual_1(x)),  b = background
    k = unit([content, h, b]),  q = unit([h, b])
    y = unit(h, side=attention(q, k))

    x_i and b_i must not depend on content at i, which is what the model
    predicts; y_i does not either, as attention is strictly causal.

    Args:
        filters: int, channels of hidden features.
        num_residual: int, number of residual units.
        kernel_size: int, or pair of ints, of their causal convolutions.
        anchor: "corner" or "center", see `CausalConv2D`.
        num_heads: int, heads of the attention; 0: no attention, y = h.
        key_dim: int, size of queries and keys of one head.
        value_dim: int, size of the values of all heads.
        dropout: float in [0, 1), in all residual units, in training.
        seed: int or None, seed of its own generators of noise.

    Call arguments:
        inputs: list of three float tensors: x, content, background.
        condition: None, or float tensor (batch, height, width, any) that
            broadcasts against the size of x.
        training: bool.

    Input shape:
        Three tensors (batch, height, width, channels), channels may differ.

    Output shape:
        (batch, height, width, channels of x)

    Raises:
        ValueError: if an argument is out of range.

    Example:
    >>> block = keras_vae.layers.PixelSNAILBlock(8, 2, num_heads=2)
    >>> inputs = [np.ones((1, 4, 4, size)) for size in (8, 5, 2)]
    >>> block(inputs).shape
    TensorShape([1, 4, 4, 8])

    Reference:
        Chen, Mishra, Rohaninejad, Abbeel, 2018, figures 4 and 5.
    """

    def __init__(
        self,
        filters: int,
        num_residual: int = 4,
        kernel_size: int | Sequence[int] = 2,
        anchor: str = "corner",
        num_heads: int = 8,
        key_dim: int = 16,
        value_dim: int = 128,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.num_residual = positive_int("num_residual", num_residual)
        self.kernel_size = kernel_size
        self.anchor = anchor
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.dropout = dropout
        self.seed = seed
        self._residuals = [
            self._unit(f"residual_{i}", 3 + i, kernel_size)
            for i in range(num_residual)
        ]
        self._attention = None
        if num_heads:
            self._attention = CausalAttention2D(
                num_heads,
                key_dim,
                value_dim,
                dtype=self.dtype_policy,
                name="attention",
            )
            self._key_unit = self._unit("key_unit", 0)
            self._query_unit = self._unit("query_unit", 1)
            self._merge_unit = self._unit("merge_unit", 2)

    def _unit(self, name, number, kernel_size=1):
        # Equal seeds would drop the same.
        seed = None if self.seed is None else self.seed + number
        return GatedResidual(
            self.filters,
            kernel_size,
            anchor=self.anchor,
            dropout=self.dropout,
            seed=seed,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(
        self,
        inputs_shape: Sequence[Shape],
        condition_shape: Shape | None = None,
    ) -> None:
        x_shape, content_shape, background_shape = inputs_shape
        for residual in self._residuals:
            residual.build(x_shape, condition_shape=condition_shape)
        if self._attention is None:
            return
        *rows, channels = x_shape
        query_shape = (*rows, channels + background_shape[-1])
        key_shape = (*rows, query_shape[-1] + content_shape[-1])
        self._key_unit.build(key_shape)
        self._query_unit.build(query_shape)
        self._attention.build([query_shape, key_shape])
        self._merge_unit.build(x_shape, side_shape=(*rows, self.value_dim))

    def call(
        self,
        inputs: Sequence[TensorLike],
        condition: TensorLike | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        x, content, background = inputs
        for residual in self._residuals:
            x = residual(x, condition=condition, training=training)
        if self._attention is None:
            return x
        key = self._key(x, content, background, training)
        query = self._query(x, background, training)
        mixed = self._attention([query, key])
        return self._merge_unit(x, side=mixed, training=training)

    def _key(self, x, content, background, training=False):
        key = tf.concat([content, x, background], axis=-1)
        return self._key_unit(key, training=training)

    def _query(self, x, background, training=False):
        query = tf.concat([x, background], axis=-1)
        return self._query_unit(query, training=training)

    def compute_output_shape(
        self,
        inputs_shape: Sequence[Shape],
        condition_shape: Shape | None = None,
    ) -> Shape:
        return inputs_shape[0]

    # === One position at a time ===

    def init_cache(self, batch_size: Scalar) -> list[Any]:
        """Empty caches of its layers.

        Args:
            batch_size: int or scalar tensor.
        """
        cache = [r.init_cache(batch_size) for r in self._residuals]
        if self._attention is not None:
            cache.append(self._attention.init_cache(batch_size))
        return cache

    def step(
        self,
        cache: list[Any],
        x: TensorLike,
        background: TensorLike,
        index: Scalar,
        condition: TensorLike | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, list[Any]]:
        """(y, h, cache) at a position, as `call` gives y.

        Args:
            cache: nested list of tensors, as `init_cache` gives it.
            x: tensor (batch, channels).
            background: tensor (batch, channels).
            index: scalar int32 tensor, position in raster order.
            condition: None or tensor (batch, channels).
        """
        cache = list(cache)
        for i, residual in enumerate(self._residuals):
            x, cache[i] = residual.step(cache[i], x, index, condition=condition)
        if self._attention is None:
            return x, x, cache
        query = self._query(x, background)
        mixed = self._attention.read(cache[-1], query, index)
        y, _ = self._merge_unit.step([], x, index, side=mixed)
        return y, x, cache

    def remember(
        self,
        cache: list[Any],
        h: TensorLike,
        content: TensorLike,
        background: TensorLike,
        index: Scalar,
    ) -> list[Any]:
        """The cache, once the content at a position is known.

        Args:
            cache: nested list of tensors.
            h: tensor (batch, channels), as `step` gives it.
            content: tensor (batch, channels).
            background: tensor (batch, channels).
            index: scalar int32 tensor, position in raster order.
        """
        if self._attention is None:
            return cache
        key = self._key(h, content, background)
        return [*cache[:-1], self._attention.write(cache[-1], key, index)]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_residual": self.num_residual,
            "kernel_size": self.kernel_size,
            "anchor": self.anchor,
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "seed": self.seed,
        }
