from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.likelihoods.likelihood import check_range
from keras_vae.typing import Array
from keras_vae.typing import TensorLike

# Of numbers from 1 to 2, whose product float32 holds.
_MOST_FACTORS = 100


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
    elementwise = True
    bounded_activations = ("sigmoid", "hard_sigmoid", "softmax")

    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        params = tf.cast(params, "float32")
        return tfd.Independent(
            tfd.Bernoulli(logits=params, dtype="float32"), self.event_rank
        )

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(tf.cast(params, "float32"))

    def log_prob(
        self, params: tf.Tensor, x: TensorLike, training: bool = False
    ) -> tf.Tensor:
        params, x = self.flat(params, x)
        logits = tf.cast(params, "float32")
        linear = tf.reduce_sum(x * logits - tf.nn.relu(logits), axis=-1)
        return linear - _sum_of_softplus_less_relu(logits)

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


@tf.custom_gradient
def _sum_of_softplus_less_relu(
    logits: tf.Tensor,
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Sum of log(1 + exp(l)) - max(l, 0) over the last axis.

    Logarithms are taken of products of many elements: one by one they would
    be most of the time that `log_likelihood` spends outside of the networks.
    """

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        # The derivative of max(l, 0) at 0 is TensorFlow's, 0.
        slope = tf.sigmoid(logits) - tf.cast(logits > 0.0, "float32")
        return slope * upstream[..., tf.newaxis]

    return _log_of_product(1.0 + tf.exp(-tf.abs(logits))), gradient


def _log_of_product(factors: tf.Tensor) -> tf.Tensor:
    """Sum of the logarithms of numbers from 1 to 2, over the last axis."""
    size = factors.shape[-1]
    num_products = max(1, -(-size // _MOST_FACTORS))
    length = -(-size // num_products)
    batch_rank = factors.shape.rank - 1
    padding = [[0, 0]] * batch_rank + [[0, num_products * length - size]]
    if num_products * length > size:
        factors = tf.pad(factors, padding, constant_values=1.0)
    batch_shape = tf.shape(factors)[:batch_rank]
    shape = tf.concat([batch_shape, [num_products, length]], axis=0)
    products = tf.reduce_prod(tf.reshape(factors, shape), axis=-1)
    return tf.reduce_sum(tf.math.log(products), axis=-1)
