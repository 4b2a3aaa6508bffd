from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.arguments import proper_fraction
from keras_vae.layers.masking_noise import MaskingNoise
from keras_vae.random import spawn_seeds
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class TimeResidual(keras.layers.Layer):
    """Residual block of convolutions that is told the time.

    h = conv(swish(group_norm(x))) + W swish(time)
    y = shortcut(x) + conv(dropout(swish(group_norm(h))))

    The last convolution is zero at first; the shortcut is the identity, or
    linear at each position where the channels change.

    Args:
        filters: int, channels of h and y.
        num_groups: int, groups of the normalisation; a divisor of `filters`
            and of the channels of x.
        dropout: float in [0, 1), fraction of units dropped in training.
        seed: int or None; equal seeds give equal weights, and noise where
            the layer is used alone.

    Call arguments:
        inputs: list of x, float tensor (batch, ..., channels) with one to
            three axes, and the embedding of the time (batch, any).
        training: bool; nothing is dropped where it is False.

    Input shape:
        (batch, ..., channels) and (batch, any)

    Output shape:
        (batch, ..., filters)

    Raises:
        ValueError: if a size is not positive or no divisor, or `dropout` is
            not in [0, 1).

    Example:
    >>> layer = keras_vae.layers.TimeResidual(8, num_groups=4)
    >>> layer([np.ones((2, 7, 7, 4)), np.ones((2, 16))]).shape
    TensorShape([2, 7, 7, 8])

    Reference:
        Ho, Jain, Abbeel, 2020, appendix B.
    """

    def __init__(
        self,
        filters: int,
        num_groups: int = 8,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = positive_int("filters", filters)
        self.num_groups = positive_int("num_groups", num_groups)
        self.dropout = proper_fraction("dropout", dropout)
        self.seed = seed
        self._masking = MaskingNoise(dropout, seed, dtype=self.dtype_policy)
        # Moments in half precision would be too rough.
        self._norms = [
            keras.layers.GroupNormalization(
                num_groups, dtype="float32", name=f"norm_{i}"
            )
            for i in (1, 2)
        ]
        self._convolutions: list[keras.layers.Layer] = []
        self._time: keras.layers.Layer = None
        self._shortcut: keras.layers.Layer | None = None

    def build(self, input_shape: Sequence[Shape]) -> None:
        x_shape, time_shape = input_shape
        for name, channels in (
            ("filters", self.filters),
            ("channels", x_shape[-1]),
        ):
            if channels % self.num_groups:
                raise ValueError(
                    f"`num_groups` must divide the {name}. Received: "
                    f"num_groups={self.num_groups}, {name}={channels}"
                )
        seeds = spawn_seeds(self.seed, 3)
        hidden_shape = (*x_shape[:-1], self.filters)
        rank = len(x_shape) - 2
        self._convolutions = [
            self._convolution(rank, 3, _uniform(seeds[0]), "first"),
            self._convolution(rank, 3, "zeros", "second"),
        ]
        self._time = keras.layers.Dense(
            self.filters,
            kernel_initializer=_uniform(seeds[1]),
            dtype=self.dtype_policy,
            name="time",
        )
        self._time.build(time_shape)
        for shape, norm, convolution in zip(
            (x_shape, hidden_shape),
            self._norms,
            self._convolutions,
            strict=True,
        ):
            norm.build(shape)
            convolution.build(shape)
        if x_shape[-1] != self.filters:
            self._shortcut = self._convolution(
                rank, 1, _uniform(seeds[2]), "shortcut"
            )
            self._shortcut.build(x_shape)

    def _convolution(self, rank, size, initializer, name):
        return getattr(keras.layers, f"Conv{rank}D")(
            self.filters,
            size,
            padding="same",
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name=name,
        )

    def call(
        self, inputs: Sequence[TensorLike], training: bool = False
    ) -> tf.Tensor:
        x, time = inputs
        first, second = self._convolutions
        h = first(keras.ops.silu(self._norms[0](x)))
        shift = self._time(keras.ops.silu(time))
        ones = [1] * (len(x.shape) - 2)
        h = h + tf.reshape(shift, [-1, *ones, self.filters])
        h = keras.ops.silu(self._norms[1](h))
        if training and self.dropout:
            h = self._masking(h, training=True) / (1.0 - self.dropout)
        h = second(h)
        return h + (x if self._shortcut is None else self._shortcut(x))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return (*input_shape[0][:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_groups": self.num_groups,
            "dropout": self.dropout,
            "seed": self.seed,
        }


def _uniform(seed):
    return keras.initializers.GlorotUniform(seed)
