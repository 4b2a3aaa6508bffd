import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

from keras_vae import posteriors
from keras_vae import priors
from keras_vae import random


@pytest.fixture
def prior():
    prior = priors.StandardNormal()
    prior.build((None, 3))
    return prior


def make_posterior(name, rows=5):
    layer = posteriors.get(name, 3)
    params = np.random.default_rng(0).normal(0, 0.7, (rows, layer.params_size))
    return layer, layer.to_distribution(params.astype("float32"))


def covariances(posterior):
    if isinstance(posterior, tfd.Independent):
        return posterior.variance().numpy()[:, np.newaxis] * np.eye(3)
    return posterior.covariance().numpy()


def numpy_kl(posterior):
    """0.5 (tr S + m'm - d - log det S), in float64."""
    kl = []
    for mean, covariance in zip(
        posterior.mean().numpy().astype("float64"),
        covariances(posterior).astype("float64"),
        strict=True,
    ):
        log_det = np.linalg.slogdet(covariance)[1]
        kl.append(0.5 * (np.trace(covariance) + mean @ mean - 3 - log_det))
    return np.array(kl)


@pytest.mark.parametrize("name", ["diagonal_normal", "full_covariance_normal"])
def test_kl_against_numpy_and_samples(prior, name):
    layer, posterior = make_posterior(name)
    z = layer.sample(posterior, random.Noise(random.as_seed(0)), 50000)
    closed = prior.kl(posterior, z[:1])
    assert closed.shape == (5,)
    assert closed.dtype == tf.float32
    np.testing.assert_allclose(closed, numpy_kl(posterior), rtol=1e-4)
    log_ratio = posterior.log_prob(z) - prior.distribution().log_prob(z)
    error = np.std(log_ratio, axis=0) / np.sqrt(50000)
    difference = np.mean(log_ratio, axis=0) - closed
    assert np.all(np.abs(difference) < 4 * error)


@pytest.mark.parametrize("name", ["diagonal_normal", "full_covariance_normal"])
def test_kl_is_a_closed_form(prior, name):
    _, posterior = make_posterior(name)
    nowhere = tf.fill([1, 5, 3], np.nan)
    assert np.all(np.isfinite(prior.kl(posterior, nowhere)))


def test_kl_of_the_prior_is_zero(prior):
    for posterior in (
        tfd.Independent(tfd.Normal(tf.zeros([2, 3]), 1.0), 1),
        tfd.MultivariateNormalTriL(tf.zeros([2, 3]), tf.eye(3)),
    ):
        np.testing.assert_allclose(prior.kl(posterior, None), 0, atol=1e-6)


def test_kl_without_a_closed_form_is_estimated(prior):
    posterior = tfd.Independent(tfd.Logistic(tf.zeros([2, 3]), 0.5), 1)
    z = posterior.sample(50000, seed=[0, 1])
    # log p(z) - log q(z), integrated in one dimension.
    x = np.linspace(-15, 15, 60001)
    q = stats.logistic(0, 0.5)
    ratio = q.logpdf(x) - stats.norm.logpdf(x)
    expected = 3 * np.sum(q.pdf(x) * ratio) * (x[1] - x[0])
    np.testing.assert_allclose(prior.kl(posterior, z), expected, atol=0.02)


@pytest.mark.parametrize("name", ["diagonal_normal", "full_covariance_normal"])
@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_kl_at_extremes_is_finite(prior, name, size):
    layer = posteriors.get(name, 3)
    params = tf.fill([1, layer.params_size], size)
    if name == "full_covariance_normal":
        # Its diagonal and its means; squares below it are unbounded anyway.
        params *= [[1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]]
    with tf.GradientTape() as tape:
        tape.watch(params)
        kl = prior.kl(layer.to_distribution(params), None)
    assert np.all(np.isfinite(kl))
    assert np.all(np.isfinite(tape.gradient(kl, params)))


def test_log_prob_against_scipy(prior):
    z = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
    np.testing.assert_allclose(
        prior(z), stats.norm.logpdf(z).sum(-1), rtol=1e-5
    )


def test_sample_and_temperature(prior):
    seed = random.as_seed(0)
    z = prior.sample(20000, seed)
    assert z.shape == (20000, 3)
    np.testing.assert_allclose(np.mean(z, 0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(z, rowvar=False), np.eye(3), atol=0.04)
    np.testing.assert_allclose(
        prior.sample(20000, seed, 0.5), 0.5 * z, rtol=1e-6
    )
    np.testing.assert_array_equal(prior.sample(7, seed, 0.0), np.zeros((7, 3)))


def test_get():
    assert isinstance(priors.get("standard_normal"), priors.StandardNormal)
    prior = priors.MixturePrior(2)
    assert priors.get(prior) is prior
    with pytest.raises(ValueError, match="Received: prior='vamp'"):
        priors.get("vamp")
