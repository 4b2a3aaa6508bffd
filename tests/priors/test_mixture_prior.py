import numpy as np
import pytest
from scipy import special
from scipy import stats

from keras_vae import posteriors
from keras_vae import priors
from keras_vae import random

K, DIM = 4, 3


@pytest.fixture
def prior():
    prior = priors.MixturePrior(K)
    prior.build((None, DIM))
    rng = np.random.default_rng(0)
    prior.logits.assign(rng.normal(size=K))
    prior.means.assign(rng.normal(0, 3, (K, DIM)))
    prior.log_scales.assign(rng.normal(-0.5, 0.3, (K, DIM)))
    return prior


def numpy_log_prob(prior, z):
    logits, means, log_scales = prior.get_weights()
    z = np.expand_dims(z, -2).astype("float64")
    components = stats.norm(means, np.exp(log_scales)).logpdf(z).sum(-1)
    return special.logsumexp(components + special.log_softmax(logits), axis=-1)


def test_log_prob_against_scipy(prior):
    z = np.random.default_rng(1).normal(0, 2, (5, 2, DIM)).astype("float32")
    expected = numpy_log_prob(prior, z)
    np.testing.assert_allclose(prior(z), expected, rtol=1e-4)
    np.testing.assert_allclose(
        prior.distribution().log_prob(z), expected, rtol=1e-4
    )


def test_samples_have_the_moments(prior):
    z = np.asarray(prior.sample(100000, random.as_seed(0)))
    logits, means, log_scales = prior.get_weights()
    weights = special.softmax(logits)
    mean = weights @ means
    np.testing.assert_allclose(z.mean(0), mean, atol=0.05)
    square = weights @ (means**2 + np.exp(2 * log_scales))
    np.testing.assert_allclose(z.var(0), square - mean**2, rtol=0.03)


def test_samples_belong_to_components_in_proportion(prior):
    z = np.asarray(prior.sample(20000, random.as_seed(0), temperature=0.0))
    logits, means, _ = prior.get_weights()
    counts = np.all(np.abs(z[:, None] - means) < 1e-5, axis=-1).sum(0)
    assert counts.sum() == 20000
    expected = 20000 * special.softmax(logits.astype("float64"))
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_temperature_scales_around_the_component(prior):
    seed = random.as_seed(0)
    mean, half, full = (
        prior.sample(50, seed, temperature) for temperature in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(half, (mean + full) / 2, rtol=1e-4, atol=1e-5)


def test_one_standard_component_is_the_standard_normal():
    prior = priors.MixturePrior(1)
    prior.build((None, DIM))
    prior.means.assign(np.zeros((1, DIM)))
    standard = priors.StandardNormal()
    standard.build((None, DIM))
    z = np.random.default_rng(0).normal(size=(7, DIM)).astype("float32")
    np.testing.assert_allclose(prior(z), standard(z), rtol=1e-5)
    layer = posteriors.DiagonalNormal(DIM)
    params = np.random.default_rng(1).normal(0, 0.5, (5, 2 * DIM))
    posterior = layer.to_distribution(params.astype("float32"))
    noise = random.Noise(random.as_seed(0))
    z = layer.sample(posterior, noise, 50000)
    np.testing.assert_allclose(
        prior.kl(posterior, z), standard.kl(posterior, z), atol=0.03
    )


def test_kl_estimate_against_numpy(prior):
    layer = posteriors.FullCovarianceNormal(DIM)
    params = np.random.default_rng(1).normal(0, 0.5, (2, layer.params_size))
    posterior = layer.to_distribution(params.astype("float32"))
    z = layer.sample(posterior, random.Noise(random.as_seed(0)), 3)
    expected = posterior.log_prob(z) - numpy_log_prob(prior, z.numpy())
    kl = prior.kl(posterior, z)
    assert kl.shape == (2,)
    np.testing.assert_allclose(kl, np.mean(expected, axis=0), rtol=1e-4)


@pytest.mark.parametrize("z", [0.0, 1e4, -1e15])
def test_far_away_is_finite(prior, z):
    far = np.full((1, DIM), z, "float32")
    assert np.all(np.isfinite(prior(far)))


def test_spread_of_the_means():
    prior = priors.MixturePrior(500, spread=5.0)
    prior.build((None, 10))
    assert np.std(prior.means) == pytest.approx(5.0, rel=0.05)


def test_arguments():
    with pytest.raises(ValueError, match="Received: num_components=0"):
        priors.MixturePrior(0)
    with pytest.raises(ValueError, match="Received: spread=0"):
        priors.MixturePrior(2, spread=0)


def test_alone_it_gives_the_log_density():
    assert priors.MixturePrior(K)(np.zeros((5, 2, DIM))).shape == (5, 2)
