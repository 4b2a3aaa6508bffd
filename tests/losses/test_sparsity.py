"""The divergence of mean activations against NumPy's float64."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae import losses


def reference(rho, rho_hat, epsilon=1e-6):
    rho_hat = np.asarray(rho_hat, "float64")
    q = epsilon + (1 - 2 * epsilon) * rho_hat
    p = epsilon + (1 - 2 * epsilon) * (1 - rho_hat)
    return rho * np.log(rho / q) + (1 - rho) * np.log((1 - rho) / p)


@pytest.mark.parametrize("rho", [0.01, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("epsilon", [1e-6, 1e-2])
def test_closed_form(rho, epsilon):
    rho_hat = np.linspace(0, 1, 41).astype("float32")
    np.testing.assert_allclose(
        losses.bernoulli_kl_divergence(rho, rho_hat, epsilon),
        reference(rho, rho_hat, epsilon),
        rtol=1e-5,
        atol=1e-6,
    )


def test_zero_at_the_target_and_positive_elsewhere():
    rho_hat = tf.constant([0.0, 0.1, 0.2, 0.3, 1.0])
    values = losses.bernoulli_kl_divergence(0.2, rho_hat).numpy()
    assert abs(values[2]) < 1e-6
    assert np.all(np.delete(values, 2) > 0.01)


def gradient(rho, rho_hat, epsilon=1e-6):
    rho_hat = tf.constant(rho_hat, "float32")
    with tf.GradientTape() as tape:
        tape.watch(rho_hat)
        value = losses.bernoulli_kl_divergence(rho, rho_hat, epsilon)
    return tape.gradient(value, rho_hat).numpy()


def test_gradient_is_that_of_finite_differences():
    rho_hat, step = np.array([0.01, 0.1, 0.4, 0.9, 0.99]), 1e-6
    difference = reference(0.1, rho_hat + step) - reference(0.1, rho_hat - step)
    np.testing.assert_allclose(
        gradient(0.1, rho_hat), difference / (2 * step), rtol=1e-3, atol=1e-4
    )


def test_gradient_survives_at_both_ends():
    """Inf would stop the training, zero would leave the unit where it is."""
    low, high = gradient(0.1, [0.0, 1.0])
    np.testing.assert_allclose(low, 0.9 - 0.1e6, rtol=1e-3)
    np.testing.assert_allclose(high, 0.9e6 - 0.1, rtol=1e-3)
    values = losses.bernoulli_kl_divergence(0.1, [0.0, 1.0]).numpy()
    np.testing.assert_allclose(values, reference(0.1, [0, 1]), rtol=1e-5)


def test_half_precision_is_computed_in_single():
    rho_hat = tf.constant([0.0, 0.5, 1.0], "float16")
    value = losses.bernoulli_kl_divergence(0.1, rho_hat)
    assert value.dtype == tf.float32
    np.testing.assert_allclose(value, reference(0.1, [0, 0.5, 1]), rtol=1e-5)
