from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.arguments import proper_fraction
from keras_vae.layers.causal_conv2d import CausalConv2D
from keras_vae.layers.masking_noise import MaskingNoise
from keras_vae.typing import Scalar
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike

# Variance of the last kernel: a new layer is close to the identity.
_OUTPUT_VARIANCE = 0.1**2


@keras.saving.register_keras_serializable(package="keras_vae")
class GatedResidual(keras.layers.Layer):
    """Residual unit whose change is let through by a gate.

    h = elu(K1 elu(x) + U elu(side))
    a, b = K2 dropout(h) + V condition
    y = x + a sigmoid(b)

    K1 and K2 are causal convolutions, ordinary ones, or, with kernels of size
    1, linear at each position.

    Args:
        filters: int, channels of h.
        kernel_size: int, or pair of ints, of K1 and K2.
        causal: bool. False: ordinary convolutions, for what is known as a
            whole, such as the condition of another model.
        anchor: "corner" or "center", see `CausalConv2D`.
        dropout: float in [0, 1), fraction of h that is dropped in training.
        seed: int or None, seed of its own generator of noise.

    Call arguments:
        x: float tensor (batch, height, width, channels).
        side: None, or float tensor of the size of x with any channels.
        condition: None, or float tensor (batch, height, width, any) that
            broadcasts against the size of x.
        training: bool; nothing is dropped where it is False.

    Input shape:
        (batch, height, width, channels)

    Output shape:
        (batch, height, width, channels)

    Raises:
        ValueError: if a size is not positive or `dropout` is not in [0, 1).

    Example:
    >>> layer = keras_vae.layers.GatedResidual(8, kernel_size=2, dropout=0.1)
    >>> layer(np.ones((1, 4, 4, 3)), condition=np.ones((1, 1, 1, 5))).shape
    TensorShape([1, 4, 4, 3])

    Reference:
        Chen, Mishra, Rohaninejad, Abbeel, 2018, figure 5; Salimans,
        Karpathy, Chen, Kingma, 2017, for condition and dropout.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int] = 1,
        causal: bool = True,
        anchor: str = "corner",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = positive_int("filters", filters)
        self.kernel_size = kernel_size
        self.causal = causal
        self.anchor = anchor
        self.dropout = proper_fraction("dropout", dropout)
        self.seed = seed
        self._masking = MaskingNoise(dropout, seed, dtype=self.dtype_policy)
        self._first = self._convolution(self.filters, "glorot_uniform", "first")
        self._second: keras.layers.Layer = None
        self._side: keras.layers.Layer | None = None
        self._condition: keras.layers.Layer | None = None

    def _convolution(self, filters, initializer, name):
        options = {
            "kernel_initializer": initializer,
            "dtype": self.dtype_policy,
            "name": name,
        }
        if self.kernel_size in (1, (1, 1), [1, 1]):
            return keras.layers.Dense(filters, **options)
        if self.causal:
            return CausalConv2D(
                filters, self.kernel_size, self.anchor, **options
            )
        return keras.layers.Conv2D(
            filters, self.kernel_size, padding="same", **options
        )

    def build(
        self,
        x_shape: Shape,
        side_shape: Shape | None = None,
        condition_shape: Shape | None = None,
    ) -> None:
        channels = x_shape[-1]
        self._first.build(x_shape)
        self._second = self._convolution(
            2 * channels,
            keras.initializers.VarianceScaling(
                _OUTPUT_VARIANCE, "fan_avg", "uniform"
            ),
            "second",
        )
        self._second.build((*x_shape[:-1], self.filters))
        if side_shape is not None:
            self._side = self._linear(self.filters, side_shape, "side")
        if condition_shape is not None:
            self._condition = self._linear(
                2 * channels, condition_shape, "condition"
            )

    def _linear(self, units, shape, name):
        layer = keras.layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name=name
        )
        layer.build(shape)
        return layer

    def call(
        self,
        x: TensorLike,
        side: TensorLike | None = None,
        condition: TensorLike | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        hidden = self._first(keras.ops.elu(x))
        hidden = self._hidden(hidden, side)
        if training and self.dropout:
            hidden = self._masking(hidden, training=True) / (1 - self.dropout)
        return self._gated(x, self._second(hidden), condition)

    def _hidden(self, hidden, side):
        if side is not None:
            hidden = hidden + self._side(keras.ops.elu(side))
        return keras.ops.elu(hidden)

    def _gated(self, x, change, condition):
        if condition is not None:
            change = change + self._condition(condition)
        change, gate = keras.ops.split(change, 2, axis=-1)
        return x + change * keras.ops.sigmoid(gate)

    def compute_output_shape(
        self,
        x_shape: Shape,
        side_shape: Shape | None = None,
        condition_shape: Shape | None = None,
    ) -> Shape:
        return x_shape

    # === One position at a time ===

    def init_cache(self, batch_size: Scalar) -> list[tf.Tensor]:
        """Empty caches of its causal convolutions.

        Args:
            batch_size: int or scalar tensor.
        """
        return [
            layer.init_cache(batch_size)
            for layer in (self._first, self._second)
            if isinstance(layer, CausalConv2D)
        ]

    def step(
        self,
        cache: list[tf.Tensor],
        x: TensorLike,
        index: Scalar,
        side: TensorLike | None = None,
        condition: TensorLike | None = None,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The output at a position, and the cache that knows it.

        Args:
            cache: list of tensors, as `init_cache` gives it.
            x: tensor (batch, channels).
            index: scalar int32 tensor, position in raster order.
            side: None or tensor (batch, channels).
            condition: None or tensor (batch, channels).
        """
        cache = list(cache)
        hidden = self._at(cache, 0, self._first, keras.ops.elu(x), index)
        hidden = self._hidden(hidden, side)
        change = self._at(cache, 1, self._second, hidden, index)
        return self._gated(x, change, condition), cache

    @staticmethod
    def _at(cache, number, layer, x, index):
        if not isinstance(layer, CausalConv2D):
            return layer(x)
        cache[number] = layer.write(cache[number], x, index)
        return layer.read(cache[number], index)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "causal": self.causal,
            "anchor": self.anchor,
            "dropout": self.dropout,
            "seed": self.seed,
        }
