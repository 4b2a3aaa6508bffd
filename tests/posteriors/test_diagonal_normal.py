import numpy as np
import pytest
import tensorflow as tf

from keras_vae import random
from keras_vae.posteriors import DiagonalNormal
from tests.posteriors.helpers import assert_finite


@pytest.fixture
def posterior():
    return DiagonalNormal(3)


@pytest.fixture
def params():
    return np.random.default_rng(0).normal(size=(4, 6)).astype("float32")


def test_moments_against_numpy(posterior, params):
    distribution = posterior.to_distribution(params)
    assert distribution.batch_shape == (4,)
    assert distribution.event_shape == (3,)
    np.testing.assert_allclose(distribution.mean(), params[:, :3], rtol=1e-6)
    np.testing.assert_allclose(
        distribution.variance(), np.exp(params[:, 3:]), rtol=1e-5
    )


def test_log_prob_against_numpy(posterior, params):
    z = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
    mean, log_var = np.split(params.astype("float64"), 2, axis=1)
    expected = np.log(2 * np.pi) + log_var + (z - mean) ** 2 / np.exp(log_var)
    np.testing.assert_allclose(
        posterior.to_distribution(params).log_prob(z),
        -0.5 * expected.sum(1),
        rtol=1e-5,
    )


def test_parameters_are_linear_in_the_features(posterior):
    features = np.random.default_rng(0).normal(size=(4, 5))
    distribution = posterior.distribution(features)
    kernel, bias = posterior.get_weights()
    params = features @ kernel + bias
    np.testing.assert_allclose(
        distribution.mean(), params[:, :3], rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        distribution.stddev(), np.exp(params[:, 3:] / 2), rtol=1e-4
    )


def test_samples_have_the_moments(posterior, params):
    distribution = posterior.to_distribution(params)
    noise = random.Noise(random.as_seed(0))
    z = np.asarray(posterior.sample(distribution, noise, 40000))
    assert z.shape == (40000, 4, 3)
    scale = np.exp(params[:, 3:] / 2)
    np.testing.assert_allclose(
        (z.mean(0) - params[:, :3]) / scale, 0, atol=0.025
    )
    for row in range(4):
        covariance = np.cov(z[:, row] / scale[row], rowvar=False)
        np.testing.assert_allclose(covariance, np.eye(3), atol=0.04)


def test_samples_are_reparameterised(posterior, params):
    params = tf.constant(params)
    with tf.GradientTape() as tape:
        tape.watch(params)
        noise = random.Noise(random.as_seed(0))
        z = posterior.sample(posterior.to_distribution(params), noise)[0]
    gradient = tape.gradient(z, params).numpy()
    np.testing.assert_allclose(gradient[:, :3], 1.0)
    np.testing.assert_allclose(
        gradient[:, 3:], 0.5 * (z - params[:, :3]), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("log_var", [-1e30, -100.0, 100.0, 1e30])
@pytest.mark.parametrize("mean", [-1e4, 0.0, 1e4])
def test_extremes_are_finite(log_var, mean):
    distribution = assert_finite(DiagonalNormal(1), [[mean, log_var]])
    # Clipped, but to values that are far from any use.
    assert float(distribution.variance()[0, 0]) in (
        pytest.approx(np.exp(-30), rel=1e-4),
        pytest.approx(np.exp(30), rel=1e-4),
    )
