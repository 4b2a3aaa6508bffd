from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae import random
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class Sampling(keras.layers.Layer):
    """Reparameterised draw from N(z_mean, exp(z_log_var)).

    z = z_mean + exp(z_log_var / 2) * noise,  noise ~ N(0, I)

    It draws whenever it is called. Inside a model of this library the noise is
    that of the model's step; alone it comes from a seed generator of its own,
    and differs between replicas.

    Args:
        seed: int or None, seed of its own generator.

    Call arguments:
        inputs: list of z_mean and z_log_var.

    Input shape:
        Two tensors (batch, ...) of equal shape.

    Output shape:
        (batch, ...)

    Example:
    >>> layer = keras_vae.layers.Sampling(seed=0)
    >>> layer([np.zeros((2, 3)), np.zeros((2, 3))]).shape
    TensorShape([2, 3])

    Reference:
        Kingma, Welling, 2014, section 2.4.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Sequence[TensorLike]) -> tf.Tensor:
        z_mean, z_log_var = inputs
        noise = random.current_noise(self.seed_generator)
        drawn = noise.normal(tf.unstack(tf.shape(z_mean)))
        return z_mean + tf.exp(0.5 * z_log_var) * tf.cast(drawn, z_mean.dtype)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
