"""What the tests of posteriors share."""

import numpy as np
import tensorflow as tf

from keras_vae import random


def assert_finite(posterior, params):
    """Samples, log q and its gradient are finite; returns q."""
    params = tf.constant(params)
    with tf.GradientTape() as tape:
        tape.watch(params)
        distribution = posterior.to_distribution(params)
        noise = random.Noise(random.as_seed(0))
        z = posterior.sample(distribution, noise, 2)
        value = tf.reduce_sum(distribution.log_prob(z))
    assert np.all(np.isfinite(z))
    assert np.isfinite(value)
    assert np.all(np.isfinite(tape.gradient(value, params)))
    return distribution
