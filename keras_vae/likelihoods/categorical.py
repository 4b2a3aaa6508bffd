from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.arguments import positive_int
from keras_vae.likelihoods.grid import validate_levels
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.typing import Array
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class Categorical(Likelihood):
    """One of `num_levels` values for each pixel; params are logits.

    log p(x|z) = sum_i log softmax(l_i)[k_i],  x_i = k_i / (num_levels - 1)

    Args:
        num_levels: int >= 2, number of values (256 for 8-bit images).

    Call arguments:
        params: tensor (..., *event[:-1], C * num_levels), logits; the levels
            of one channel are neighbours.

    Input shape:
        (..., *event[:-1], C * num_levels)

    Output shape:
        (..., *event), the expected value

    Raises:
        ValueError: if `num_levels` is below 2.

    Example:
    >>> likelihood = keras_vae.likelihoods.Categorical(num_levels=4)
    >>> likelihood.params_shape((8, 8, 1))
    (8, 8, 4)

    Reference:
        van den Oord, Kalchbrenner, Kavukcuoglu, 2016, section 3.
    """

    discrete = True
    factorized = True
    bounded_activations = ("sigmoid", "hard_sigmoid", "softmax")

    def __init__(self, num_levels: int = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_levels = positive_int("num_levels", num_levels, at_least=2)

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        return (*event_shape[:-1], event_shape[-1] * self.num_levels)

    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        outcomes = tf.linspace(0.0, 1.0, self.num_levels)
        return tfd.Independent(
            tfd.FiniteDiscrete(outcomes, logits=self._logits(params)),
            self.event_rank,
        )

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        outcomes = tf.linspace(0.0, 1.0, self.num_levels)
        return tf.linalg.matvec(tf.nn.softmax(self._logits(params)), outcomes)

    def pointwise_log_prob(
        self, params: tf.Tensor, x: TensorLike, training: bool = False
    ) -> tf.Tensor:
        logits = self._logits(params)
        levels = tf.cast(tf.round(x * (self.num_levels - 1)), "int32")
        levels = tf.broadcast_to(levels, tf.shape(logits)[:-1])
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(levels, logits)

    def _logits(self, params: tf.Tensor) -> tf.Tensor:
        params = tf.cast(params, "float32")
        shape = tf.shape(params)
        channels = params.shape[-1] // self.num_levels
        new = tf.concat([shape[:-1], [channels, self.num_levels]], axis=0)
        return tf.ensure_shape(
            tf.reshape(params, new),
            [*params.shape[:-1], channels, self.num_levels],
        )

    def validate(self, x: Array, argument: str = "x") -> None:
        super().validate(x, argument)
        validate_levels(x, self.num_levels, argument, "categorical")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_levels": self.num_levels}
