"""Gradients of biases in half precision, summed in single precision.

TensorFlow's CPU kernel keeps their running sum in the precision of its terms:
in bfloat16 it stops at 256 times a term, and the biases of a convolution get a
fraction of their gradient.
"""

import tensorflow as tf
from tensorflow.python.framework import ops

_HALF = (tf.bfloat16, tf.float16)


def sum_in_single_precision() -> None:
    """Makes TensorFlow sum gradients of half precision biases well.

    The gradient of single and double precision stays TensorFlow's own. TF has
    no public way to exchange a gradient, and Keras none to add a bias with
    another operation.
    """
    entry = ops._gradient_registry._registry["BiasAdd"]
    if not hasattr(entry["type"], "sums_in_single_precision"):
        entry["type"] = _with_exact_half(entry["type"])


def _with_exact_half(tensorflow_gradient):
    def gradient(op, upstream):
        if upstream.dtype not in _HALF:
            return tensorflow_gradient(op, upstream)
        axes = list(range(upstream.shape.rank))
        axes.remove(1 if op.get_attr("data_format") == b"NCHW" else axes[-1])
        # TensorFlow itself sums bfloat16 in single precision here, and faster.
        terms = upstream
        if upstream.dtype == tf.float16:
            terms = tf.cast(upstream, tf.float32)
        return upstream, tf.cast(tf.reduce_sum(terms, axes), upstream.dtype)

    gradient.sums_in_single_precision = True
    return gradient
