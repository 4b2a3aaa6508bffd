import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.likelihoods.likelihood import check_range
from keras_vae.typing import Array
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class Bernoulli(Likelihood):
    """Independent Bernoulli pixels; params are logits.

    log p(x|z) = sum_i x_i l_i - log(1 + exp(l_i))

    With x between 0 and 1 this trains as a cross-entropy, which is no
    log-likelihood: `validate_exact` accepts x in {0, 1} only.

    Call arguments:
        params: tensor (..., *event), logits.

    Input shape:
        (..., *event)

    Output shape:
        (..., *event), probabilities

    Example:
    >>> likelihood = keras_vae.likelihoods.Bernoulli()
    >>> likelihood.build((None, 2))
    >>> round(float(likelihood.log_prob([[0.0, 0.0]], [[1.0, 0.0]])[0]), 4)
    -1.3863

    Reference:
        Kingma, Welling, 2014, appendix C.1.
    """

    discrete = True
    factorized = True
    bounded_activations = ("sigmoid", "hard_sigmoid", "softmax")

    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        params = tf.cast(params, "float32")
        return tfd.Independent(
            tfd.Bernoulli(logits=params, dtype="float32"), self.event_rank
        )

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(tf.cast(params, "float32"))

    def pointwise_log_prob(
        self, params: tf.Tensor, x: TensorLike, training: bool = False
    ) -> tf.Tensor:
        logits = tf.cast(params, "float32")
        # Two operations fewer than the library's form, and exact at 0 and 1.
        return x * logits - tf.nn.softplus(logits)

    def validate(self, x: Array, argument: str = "x") -> None:
        super().validate(x, argument)
        check_range(x, 0.0, 1.0, argument, "bernoulli")

    def validate_exact(self, x: Array, argument: str = "x") -> None:
        super().validate_exact(x, argument)
        if not np.all((x == 0) | (x == 1)):
            raise ValueError(
                "The Bernoulli log-likelihood exists for binary data only: "
                f"binarise `{argument}`, or use 'continuous_bernoulli'. "
                f"Received: {argument} with values such as "
                f"{x[(x != 0) & (x != 1)].flat[0]}"
            )
