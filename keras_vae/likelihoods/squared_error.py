import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class SquaredError(Likelihood):
    """Plain sum of squares, sum_i (x_i - params_i)**2, without a constant.

    The loss of a Normal with variance 1/2 less its constant D/2 log(pi): fine
    to train an autoencoder, not a log-likelihood that may be reported.

    Call arguments:
        params: tensor (..., *event), the mean.

    Input shape:
        (..., *event)

    Output shape:
        (..., *event)

    Example:
    >>> likelihood = keras_vae.likelihoods.SquaredError()
    >>> likelihood.build((None, 3))
    >>> float(-likelihood.log_prob([[0.0, 0.0, 0.0]], [[1.0, 2.0, 0.0]])[0])
    5.0
    """

    normalized = False
    factorized = True
    elementwise = True

    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        params = tf.cast(params, "float32")
        return tfd.Independent(
            tfd.Normal(params, tf.sqrt(0.5)), self.event_rank
        )

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        return tf.cast(params, "float32")

    def pointwise_log_prob(
        self, params: tf.Tensor, x: TensorLike, training: bool = False
    ) -> tf.Tensor:
        params = tf.cast(params, "float32")
        return -tf.math.squared_difference(params, x)
