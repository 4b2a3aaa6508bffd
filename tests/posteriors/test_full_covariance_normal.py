import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_vae import random
from keras_vae.posteriors import FullCovarianceNormal
from tests.posteriors.helpers import assert_finite


@pytest.fixture
def posterior():
    return FullCovarianceNormal(3)


@pytest.fixture
def params(posterior):
    shape = (4, posterior.params_size)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_reaches_every_covariance(posterior, params):
    distribution = posterior.to_distribution(params)
    assert distribution.batch_shape == (4,)
    assert distribution.event_shape == (3,)
    np.testing.assert_allclose(distribution.mean(), params[:, :3], rtol=1e-6)
    scale = distribution.scale_tril.numpy()
    np.testing.assert_array_equal(scale, np.tril(scale))
    diagonal = np.diagonal(scale, axis1=1, axis2=2)
    # Each of the six entries is one of the six parameters.
    below = scale[:, *np.tril_indices(3, -1)]
    entries = np.concatenate([np.log(diagonal), below], axis=1)
    np.testing.assert_allclose(
        np.sort(entries), np.sort(params[:, 3:]), rtol=1e-4, atol=1e-6
    )


def test_log_prob_against_scipy(posterior, params):
    distribution = posterior.to_distribution(params)
    z = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
    expected = []
    for row in range(4):
        scale = distribution.scale_tril[row].numpy().astype("float64")
        normal = stats.multivariate_normal(params[row, :3], scale @ scale.T)
        expected.append(normal.logpdf(z[row]))
    np.testing.assert_allclose(distribution.log_prob(z), expected, rtol=1e-4)


def test_samples_have_the_moments(posterior, params):
    distribution = posterior.to_distribution(params)
    noise = random.Noise(random.as_seed(0))
    z = np.asarray(posterior.sample(distribution, noise, 40000))
    assert z.shape == (40000, 4, 3)
    for row in range(4):
        # Whitened by the true covariance they are uncorrelated.
        scale = distribution.scale_tril[row].numpy()
        white = np.linalg.solve(scale, (z[:, row] - params[row, :3]).T)
        np.testing.assert_allclose(white.mean(1), 0, atol=0.025)
        np.testing.assert_allclose(np.cov(white), np.eye(3), atol=0.04)


def test_one_unit_is_a_normal():
    posterior = FullCovarianceNormal(1)
    distribution = posterior.to_distribution(tf.constant([[0.5, -0.3]]))
    expected = stats.norm(0.5, np.exp(-0.3)).logpdf(1.0)
    np.testing.assert_allclose(
        distribution.log_prob([[1.0]]), [expected], rtol=1e-5
    )


@pytest.mark.parametrize("raw", [-1e4, -20.0, 20.0, 1e4])
@pytest.mark.parametrize("mean", [-1e4, 0.0, 1e4])
def test_extremes_are_finite(raw, mean):
    assert_finite(FullCovarianceNormal(1), [[mean, raw]])
