from typing import Any

import keras
import tensorflow as tf

from keras_vae import random
from keras_vae.random import Noise
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class Corruption(keras.layers.Layer):
    """Base of the layers that destroy part of their input.

    A subclass must override `draw`. Inside a model of this library the noise
    is that of the model's step; alone it comes from a seed generator of its
    own, and differs between replicas.

    Args:
        seed: int or None, seed of its own generator.

    Call arguments:
        x: float tensor (batch, ...).
        training: bool; x passes unchanged where it is False.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def draw(self, x: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        """A corrupted copy of x and what was corrupted.

        Args:
            x: float tensor (batch, ...).
            noise: `keras_vae.random.Noise`.

        Returns:
            x_tilde, of the shape and dtype of x, and a bool tensor of its
            shape, True where x was corrupted.
        """
        raise NotImplementedError

    def corrupt(self, x: TensorLike) -> tuple[tf.Tensor, tf.Tensor]:
        """As `draw`, with new noise at each call.

        Args:
            x: float tensor (batch, ...).
        """
        x = tf.convert_to_tensor(x)
        return self.draw(x, random.current_noise(self.seed_generator))

    def call(self, x: TensorLike, training: bool = False) -> tf.Tensor:
        return self.corrupt(x)[0] if training else x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


def check_rate(rate: float) -> float:
    """`rate` as a float, or a ValueError if it is no probability."""
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"`rate` must be in [0, 1]. Received: rate={rate}")
    return float(rate)
