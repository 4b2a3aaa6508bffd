import math
from typing import Any

import keras
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.random import spawn_seeds
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class SelfAttention(keras.layers.Layer):
    """Every position of a series, image or video looks at all of them.

    q, k, v = W group_norm(x)
    y = x + W_out softmax(q' k / sqrt(d)) v

    W_out is zero at first: a new layer is the identity.

    Args:
        num_heads: int, heads; a divisor of the channels.
        num_groups: int, groups of the normalisation; a divisor of the
            channels.
        seed: int or None; equal seeds give equal weights.

    Call arguments:
        x: float tensor (batch, ..., channels) with one to three axes.

    Input shape:
        (batch, ..., channels)

    Output shape:
        (batch, ..., channels)

    Raises:
        ValueError: if an argument is not positive or no divisor.

    Example:
    >>> layer = keras_vae.layers.SelfAttention(num_heads=2, num_groups=4)
    >>> layer(np.ones((1, 4, 4, 8))).shape
    TensorShape([1, 4, 4, 8])

    Reference:
        Vaswani et al., 2017, section 3.2; Ho, Jain, Abbeel, 2020, appendix B.
    """

    def __init__(
        self,
        num_heads: int = 1,
        num_groups: int = 8,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = positive_int("num_heads", num_heads)
        self.num_groups = positive_int("num_groups", num_groups)
        self.seed = seed
        # Moments in half precision would be too rough.
        self._norm = keras.layers.GroupNormalization(
            num_groups, dtype="float32", name="norm"
        )
        self._projection: keras.layers.Layer = None
        self._output: keras.layers.Layer = None

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        for name in ("num_heads", "num_groups"):
            if channels % getattr(self, name):
                raise ValueError(
                    f"`{name}` must divide the channels. Received: "
                    f"{name}={getattr(self, name)}, channels={channels}"
                )
        (seed,) = spawn_seeds(self.seed, 1)
        self._projection = keras.layers.Dense(
            3 * channels,
            # The scale of three matrices (channels, channels).
            kernel_initializer=keras.initializers.VarianceScaling(
                1.0, "fan_in", "uniform", seed=seed
            ),
            dtype=self.dtype_policy,
            name="projection",
        )
        self._output = keras.layers.Dense(
            channels,
            kernel_initializer="zeros",
            dtype=self.dtype_policy,
            name="output",
        )
        self._norm.build(input_shape)
        self._projection.build(input_shape)
        self._output.build(input_shape)

    def call(self, x: TensorLike) -> tf.Tensor:
        channels = x.shape[-1]
        shape = tf.shape(x)
        heads = [shape[0], -1, self.num_heads, channels // self.num_heads]
        projected = self._projection(self._norm(x))
        query, key, value = (
            tf.transpose(tf.reshape(part, heads), [0, 2, 1, 3])
            for part in tf.split(projected, 3, axis=-1)
        )
        query = query / math.sqrt(channels // self.num_heads)
        scores = tf.matmul(query, key, transpose_b=True)
        weights = tf.nn.softmax(tf.cast(scores, "float32"))
        mixed = tf.matmul(tf.cast(weights, value.dtype), value)
        mixed = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), shape)
        return x + self._output(mixed)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_groups": self.num_groups,
            "seed": self.seed,
        }
