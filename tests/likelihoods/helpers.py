"""What the tests of likelihoods share."""

import tensorflow as tf


def built(likelihood, event_shape):
    """The likelihood, built for events of this shape."""
    likelihood.build((None, *likelihood.params_shape(event_shape)))
    return likelihood


def value_and_gradient(function, params):
    """Value of `function(params)` and the gradient of its sum, as NumPy."""
    params = tf.constant(params, "float32")
    with tf.GradientTape() as tape:
        tape.watch(params)
        value = function(params)
    return value.numpy(), tape.gradient(value, params).numpy()
