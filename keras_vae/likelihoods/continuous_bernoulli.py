import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.likelihoods.likelihood import check_range
from keras_vae.typing import Array


@keras.saving.register_keras_serializable(package="keras_vae")
class ContinuousBernoulli(Likelihood):
    """A density on [0, 1] for grey levels; params are logits.

    log p(x|z) = sum_i x_i l_i - log(1 + exp(l_i)) + log C(l_i)
    C(l) = 2 atanh(1 - 2 s) / (1 - 2 s), s = sigmoid(l)

    Its mean is not the sigmoid of the logits.

    Call arguments:
        params: tensor (..., *event), logits.

    Input shape:
        (..., *event)

    Output shape:
        (..., *event)

    Example:
    >>> likelihood = keras_vae.likelihoods.ContinuousBernoulli()
    >>> round(float(likelihood(np.array([[1.0]]))[0, 0]), 4)
    0.582

    Reference:
        Loaiza-Ganem, Cunningham, 2019, equations 2 to 6.
    """

    factorized = True
    bounded_activations = ("sigmoid", "hard_sigmoid", "softmax")

    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        params = tf.cast(params, "float32")
        return tfd.Independent(
            tfd.ContinuousBernoulli(logits=params), self.event_rank
        )

    def validate(self, x: Array, argument: str = "x") -> None:
        super().validate(x, argument)
        check_range(x, 0.0, 1.0, argument, "continuous Bernoulli")
