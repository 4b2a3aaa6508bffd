from typing import Any

import keras
import tensorflow as tf

from keras_vae.layers.corruption import Corruption
from keras_vae.layers.corruption import check_rate
from keras_vae.random import Noise


@keras.saving.register_keras_serializable(package="keras_vae")
class SaltAndPepperNoise(Corruption):
    """Sets a fraction of the elements to `low` or `high`, in training.

    x_tilde_i = low or high, each with probability rate / 2, else x_i

    Args:
        rate: float in [0, 1], probability that an element is set.
        low: float, the value of pepper.
        high: float above `low`, the value of salt.
        seed: int or None, seed of its own generator.

    Call arguments:
        x: float tensor (batch, ...).
        training: bool; x passes unchanged where it is False.

    Input shape:
        (batch, ...)

    Output shape:
        (batch, ...)

    Raises:
        ValueError: if `rate` is outside [0, 1], or `low` not below `high`.

    Example:
    >>> layer = keras_vae.layers.SaltAndPepperNoise(1.0, seed=0)
    >>> x_tilde, mask = layer.corrupt(np.full((100, 100), 0.5))
    >>> np.unique(x_tilde)
    array([0., 1.])

    Reference:
        Vincent, Larochelle, Lajoie, Bengio, Manzagol, 2010, section 3.3.
    """

    def __init__(
        self,
        rate: float,
        low: float = 0.0,
        high: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        if not low < high:
            raise ValueError(
                f"`low` must be below `high`. Received: low={low}, high={high}"
            )
        self.rate = check_rate(rate)
        self.low = float(low)
        self.high = float(high)

    def draw(self, x: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        # The lower half of what is below the rate is pepper: one draw serves
        # both choices.
        uniform = noise.uniform(tf.unstack(tf.shape(x)))
        mask = uniform < self.rate
        value = tf.where(uniform < 0.5 * self.rate, self.low, self.high)
        return tf.where(mask, tf.cast(value, x.dtype), x), mask

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate,
            "low": self.low,
            "high": self.high,
        }
