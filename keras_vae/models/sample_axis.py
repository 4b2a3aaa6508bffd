"""Several samples of each example, as rows of one batch and back."""

import tensorflow as tf

from keras_vae.typing import Scalar


def by_sample(values: tf.Tensor, num_samples: Scalar) -> tf.Tensor:
    """(num_samples * batch, ...) to (num_samples, batch, ...)."""
    shape = tf.shape(values)
    leading = [num_samples, shape[0] // num_samples]
    reshaped = tf.reshape(values, tf.concat([leading, shape[1:]], axis=0))
    count = num_samples if isinstance(num_samples, int) else None
    return tf.ensure_shape(reshaped, [count, None, *values.shape[1:]])


def tile(values: tf.Tensor, num_samples: Scalar) -> tf.Tensor:
    """The rows of `values`, all, `num_samples` times."""
    multiples = [num_samples] + [1] * (values.shape.rank - 1)
    return tf.tile(values, multiples)
