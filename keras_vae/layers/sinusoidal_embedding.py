import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class SinusoidalEmbedding(keras.layers.Layer):
    """Sines and cosines of a number, at frequencies from 1 downwards.

    y = [sin(w_i scale t), cos(w_i scale t)],  w_i = max_period**(-i / (n - 1))

    for i = 0..n - 1 and n = dim / 2. It computes in float32 under any dtype
    policy: half precision does not tell neighbouring t apart.

    Args:
        dim: even int >= 4, size of y.
        scale: float > 0, what t is multiplied by.
        max_period: float > 1.

    Call arguments:
        t: float tensor (batch,).

    Input shape:
        (batch,)

    Output shape:
        (batch, dim)

    Raises:
        ValueError: if an argument is out of range.

    Example:
    >>> layer = keras_vae.layers.SinusoidalEmbedding(4)
    >>> print(layer(np.array([0.0, 0.5], "float32")).numpy().round(3))
    [[ 0.     0.     1.     1.   ]
     [-0.468  0.05  -0.884  0.999]]

    Reference:
        Vaswani et al., 2017, section 3.5; Ho, Jain, Abbeel, 2020, appendix B.
    """

    def __init__(
        self,
        dim: int,
        scale: float = 1000.0,
        max_period: float = 10000.0,
        **kwargs: Any,
    ) -> None:
        # Keras would round t to the dtype policy.
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        if positive_int("dim", dim) < 4 or dim % 2:
            raise ValueError(
                f"`dim` must be an even int, at least 4. Received: dim={dim}"
            )
        if not 0.0 < scale < math.inf:
            raise ValueError(
                f"`scale` must be positive. Received: scale={scale}"
            )
        if not 1.0 < max_period < math.inf:
            raise ValueError(
                "`max_period` must be above 1. "
                f"Received: max_period={max_period}"
            )
        self.dim = dim
        self.scale = scale
        self.max_period = max_period

    def call(self, t: TensorLike) -> tf.Tensor:
        half = self.dim // 2
        frequencies = self.max_period ** (-np.arange(half) / (half - 1))
        frequencies = tf.constant(self.scale * frequencies, "float32")
        angles = tf.cast(t, "float32")[:, tf.newaxis] * frequencies
        y = tf.concat([tf.sin(angles), tf.cos(angles)], axis=-1)
        return tf.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dim": self.dim,
            "scale": self.scale,
            "max_period": self.max_period,
        }
