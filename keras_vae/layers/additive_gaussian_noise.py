import math
from typing import Any

import keras
import tensorflow as tf

from keras_vae.layers.corruption import Corruption
from keras_vae.random import Noise


@keras.saving.register_keras_serializable(package="keras_vae")
class AdditiveGaussianNoise(Corruption):
    """Adds normal noise to every element, in training.

    x_tilde = x + stddev * noise,  noise ~ N(0, I)

    Args:
        stddev: float >= 0.
        seed: int or None, seed of its own generator.

    Call arguments:
        x: float tensor (batch, ...).
        training: bool; x passes unchanged where it is False.

    Input shape:
        (batch, ...)

    Output shape:
        (batch, ...)

    Raises:
        ValueError: if `stddev` is negative or not finite.

    Example:
    >>> layer = keras_vae.layers.AdditiveGaussianNoise(0.3, seed=0)
    >>> x_tilde, mask = layer.corrupt(np.zeros((100, 100)))
    >>> round(float(tf.math.reduce_std(x_tilde)), 2)
    0.3

    Reference:
        Vincent, Larochelle, Lajoie, Bengio, Manzagol, 2010, section 3.3.
    """

    def __init__(
        self, stddev: float, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, **kwargs)
        if not 0.0 <= stddev < math.inf:
            raise ValueError(
                "`stddev` must be finite and not negative. "
                f"Received: stddev={stddev}"
            )
        self.stddev = float(stddev)

    def draw(self, x: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        drawn = self.stddev * noise.normal(tf.unstack(tf.shape(x)))
        mask = tf.fill(tf.shape(x), self.stddev > 0.0)
        return x + tf.cast(drawn, x.dtype), mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}
