import math

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.likelihoods.likelihood import check_range
from keras_vae.losses import sum_event
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
        logits = tf.cast(params, "float32")
        linear = sum_event(x * logits - tf.nn.relu(logits), self.event_rank)
        return linear - _sum_of_softplus_less_relu(logits, self.event_rank)

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


def _sum_of_softplus_less_relu(logits: tf.Tensor, event_rank: int) -> tf.Tensor:
    """Sum of log(1 + exp(l)) - max(l, 0) over the event.

    Logarithms are taken of products over many elements: one by one they would
    be most of the time that `log_likelihood` spends outside of the networks.
    """
    event_axes = [1] * event_rank

    @tf.custom_gradient
    def total(logits):
        def gradient(upstream):
            shape = tf.concat([tf.shape(upstream), event_axes], axis=0)
            # The derivative of max(l, 0) at 0 is TensorFlow's, 0.
            slope = tf.sigmoid(logits) - tf.cast(logits > 0.0, "float32")
            return slope * tf.reshape(upstream, shape)

        factors = 1.0 + tf.exp(-tf.abs(logits))
        return _log_of_product(factors, event_rank), gradient

    return total(logits)


def _log_of_product(factors: tf.Tensor, event_rank: int) -> tf.Tensor:
    """Sum of the logarithms of numbers from 1 to 2, over the event."""
    batch_rank = factors.shape.rank - event_rank
    event_size = math.prod(factors.shape[batch_rank:])
    num_products = max(1, -(-event_size // _MOST_FACTORS))
    size = -(-event_size // num_products)
    batch_shape = tf.shape(factors)[:batch_rank]
    flat = tf.reshape(factors, tf.concat([batch_shape, [event_size]], axis=0))
    missing = num_products * size - event_size
    if missing:
        padding = [[0, 0]] * batch_rank + [[0, missing]]
        flat = tf.pad(flat, padding, constant_values=1.0)
    shape = tf.concat([batch_shape, [num_products, size]], axis=0)
    products = tf.reduce_prod(tf.reshape(flat, shape), axis=-1)
    return tf.reduce_sum(tf.math.log(products), axis=-1)
