from typing import Any

import keras
import tensorflow as tf

from keras_vae.layers.corruption import Corruption
from keras_vae.layers.corruption import check_rate
from keras_vae.random import Noise


@keras.saving.register_keras_serializable(package="keras_vae")
class MaskingNoise(Corruption):
    """Sets each element to 0 with probability `rate`, in training.

    x_tilde_i = 0 with probability rate, else x_i

    Unlike dropout it leaves the kept values as they are, without a factor.

    Args:
        rate: float in [0, 1].
        seed: int or None, seed of its own generator.

    Call arguments:
        x: float tensor (batch, ...).
        training: bool; x passes unchanged where it is False.

    Input shape:
        (batch, ...)

    Output shape:
        (batch, ...)

    Raises:
        ValueError: if `rate` is outside [0, 1].

    Example:
    >>> layer = keras_vae.layers.MaskingNoise(0.25, seed=0)
    >>> x_tilde, mask = layer.corrupt(np.ones((100, 100)))
    >>> np.unique(x_tilde[mask]), np.unique(x_tilde[~mask])
    (array([0.]), array([1.]))

    Reference:
        Vincent, Larochelle, Lajoie, Bengio, Manzagol, 2010, section 3.3.
    """

    def __init__(
        self, rate: float, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, **kwargs)
        self.rate = check_rate(rate)

    def draw(self, x: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        mask = noise.uniform(tf.unstack(tf.shape(x))) < self.rate
        return tf.where(mask, tf.zeros([], x.dtype), x), mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
