"""The exact linear model against densities, conditioning and its optimum."""

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from keras_vae.evaluation import ProbabilisticPCA


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6)) + 2.0


def covariance(model):
    noise = model.noise_variance * np.eye(len(model.mean))
    return model.weights @ model.weights.T + noise


def test_density_is_the_normal(x):
    model = ProbabilisticPCA(2).fit(x)
    exact = stats.multivariate_normal(model.mean, covariance(model))
    np.testing.assert_allclose(model.log_likelihood(x), exact.logpdf(x))


def test_density_against_scikit_learn(digits):
    model = ProbabilisticPCA(10).fit(digits)
    flat = digits.reshape(len(digits), -1).astype("float64")
    theirs = PCA(10).fit(flat)
    # Its variances are divided by n - 1, which is not maximum likelihood.
    theirs.explained_variance_ *= 1 - 1 / len(digits)
    theirs.noise_variance_ *= 1 - 1 / len(digits)
    np.testing.assert_allclose(
        model.log_likelihood(digits), theirs.score_samples(flat), rtol=1e-8
    )


def test_likelihood_is_greatest(x):
    model = ProbabilisticPCA(2).fit(x)
    best = np.mean(model.log_likelihood(x))
    rng = np.random.default_rng(1)
    weights, noise = model.weights, model.noise_variance
    for _ in range(20):
        model.weights = weights + 1e-2 * rng.normal(size=weights.shape)
        model.noise_variance = noise * np.exp(1e-2 * rng.normal())
        assert np.mean(model.log_likelihood(x)) < best
    model.noise_variance = noise
    # A rotation of z changes nothing.
    model.weights = weights @ [[0.6, -0.8], [0.8, 0.6]]
    assert np.mean(model.log_likelihood(x)) == pytest.approx(best, rel=1e-12)


def test_posterior_by_conditioning(x):
    model = ProbabilisticPCA(3).fit(x)
    gain = model.weights.T @ np.linalg.inv(covariance(model))
    kernel, bias, posterior = model.posterior()
    np.testing.assert_allclose(kernel, gain.T)
    np.testing.assert_allclose(bias, -gain @ model.mean)
    np.testing.assert_allclose(
        posterior, np.eye(3) - gain @ model.weights, atol=1e-12
    )


def test_far_away(x):
    log_likelihood = ProbabilisticPCA(2).fit(x).log_likelihood(x + 1e6)
    assert np.isfinite(log_likelihood).all()
    assert np.all(log_likelihood < -1e6)


@pytest.mark.parametrize("latent_dim", [0, -1, 1.5])
def test_bad_latent_dim(latent_dim):
    with pytest.raises(ValueError, match=f"latent_dim={latent_dim}"):
        ProbabilisticPCA(latent_dim)


def test_bad_data(x):
    with pytest.raises(ValueError, match="more than latent_dim=6"):
        ProbabilisticPCA(6).fit(x)
    on_a_plane = x[:, :2] @ np.ones((2, 6))
    with pytest.raises(ValueError, match="no maximum"):
        ProbabilisticPCA(2).fit(on_a_plane)
