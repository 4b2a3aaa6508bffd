import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from keras_vae.losses import importance_weighted_bound
from keras_vae.losses import log_mean_exp


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_log_mean_exp_against_scipy(axis):
    values = np.random.default_rng(0).normal(0, 5, (4, 6))
    expected = special.logsumexp(values, axis=axis) - np.log(values.shape[axis])
    np.testing.assert_allclose(
        log_mean_exp(tf.constant(values, "float32"), axis=axis),
        expected,
        rtol=1e-5,
    )


@pytest.mark.parametrize("size", [0.0, 1e4, -1e4, 1e30])
def test_log_mean_exp_at_extremes(size):
    values = tf.constant([[size, size], [size, -np.inf]])
    expected = [size, size - np.log(2)]
    np.testing.assert_allclose(log_mean_exp(values), expected, rtol=1e-6)


def test_log_mean_exp_of_nothing_possible():
    assert log_mean_exp(tf.constant([-np.inf, -np.inf])) == -np.inf


def test_one_sample_is_the_elbo_estimate():
    log_weights = tf.constant([[-1e6, 0.0, 3.7]])
    np.testing.assert_array_equal(
        importance_weighted_bound(log_weights), log_weights[0]
    )


def test_gradient_is_that_of_normalised_weights():
    values = np.random.default_rng(0).normal(0, 3, (5, 4))
    log_weights = tf.constant(values, "float32")
    with tf.GradientTape() as tape:
        tape.watch(log_weights)
        bound = importance_weighted_bound(log_weights)
    np.testing.assert_allclose(
        tape.gradient(bound, log_weights),
        special.softmax(values, axis=0),
        rtol=1e-4,
    )


def test_gradient_at_extremes_is_finite():
    log_weights = tf.constant([[1e4, -1e4], [-1e4, -1e4], [0.0, -1e30]])
    with tf.GradientTape() as tape:
        tape.watch(log_weights)
        bound = importance_weighted_bound(log_weights)
    np.testing.assert_allclose(
        tape.gradient(bound, log_weights), [[1, 0.5], [0, 0.5], [0, 0]]
    )


def test_bound_rises_with_samples_to_log_p():
    # z ~ N(0, 1), x = 1 | z ~ N(z, 1), q the prior: log p(x) is known.
    z = np.random.default_rng(0).normal(size=(50, 20000))
    log_weights = -0.5 * ((1.0 - z) ** 2 + np.log(2 * np.pi))
    log_weights = tf.constant(log_weights, "float32")
    exact = -0.25 - 0.5 * np.log(4 * np.pi)
    bounds = [
        float(tf.reduce_mean(importance_weighted_bound(log_weights[:k])))
        for k in (1, 2, 5, 50)
    ]
    assert bounds == sorted(bounds)
    # The ELBO of this q is known too.
    assert bounds[0] == pytest.approx(-1.0 - 0.5 * np.log(2 * np.pi), abs=0.03)
    assert exact - 0.02 < bounds[-1] < exact
