from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.random import spawn_seeds
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike

# exp(2 * 10) is far outside any use.
_MAX_LOG_SCALE = 10.0


@keras.saving.register_keras_serializable(package="keras_vae")
class GatedNormal(keras.layers.Layer):
    """Mean and variance of a normal distribution, from gated features.

    h = tanh(W_1 x + b_1) * sigmoid(W_2 x + b_2)
    mean = W_3 h + b_3,  variance = exp(2 (W_4 h + b_4))

    All computations are in float32.

    Args:
        units: int >= 1, size of h.
        latent_dim: int >= 1, size of the distribution.
        seed: int or None; equal seeds give equal weights.

    Call arguments:
        inputs: tensor (batch, channels).

    Input shape:
        (batch, channels)

    Output shape:
        Tuple (mean, variance), (batch, latent_dim) each

    Raises:
        ValueError: if a size is not a positive int.

    Example:
    >>> layer = keras_vae.layers.GatedNormal(8, 2)
    >>> mean, variance = layer(np.zeros((5, 3)))
    >>> mean.shape, float(variance[0, 0])
    (TensorShape([5, 2]), 1.0)

    Reference:
        Gregor, Papamakarios, Besse, Buesing, Weber, 2019, appendix D.
    """

    def __init__(
        self,
        units: int,
        latent_dim: int,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.units = positive_int("units", units)
        self.latent_dim = positive_int("latent_dim", latent_dim)
        self.seed = seed
        widths = (2 * units, 2 * latent_dim)
        self.hidden, self.head = (
            keras.layers.Dense(
                width,
                kernel_initializer=keras.initializers.GlorotUniform(spawned),
                dtype="float32",
                name=name,
            )
            for name, width, spawned in zip(
                ("hidden", "head"), widths, spawn_seeds(seed, 2)
            )
        )

    def build(self, input_shape: Shape | Sequence[Shape]) -> None:
        self.hidden.build(input_shape)
        self.head.build((None, self.units))

    def call(
        self, inputs: TensorLike | Sequence[TensorLike]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        value, gate = tf.split(self.hidden(inputs), 2, axis=-1)
        features = tf.tanh(value) * tf.sigmoid(gate)
        mean, log_scale = tf.split(self.head(features), 2, axis=-1)
        log_scale = tf.clip_by_value(log_scale, -_MAX_LOG_SCALE, _MAX_LOG_SCALE)
        return mean, tf.exp(2.0 * log_scale)

    def compute_output_shape(
        self, input_shape: Shape | Sequence[Shape]
    ) -> tuple[Shape, Shape]:
        shape = (input_shape[0], self.latent_dim)
        return shape, shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "latent_dim": self.latent_dim,
            "seed": self.seed,
        }
