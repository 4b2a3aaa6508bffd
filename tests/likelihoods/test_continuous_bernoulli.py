import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate

from keras_vae.likelihoods import ContinuousBernoulli
from tests.likelihoods.helpers import built
from tests.likelihoods.helpers import value_and_gradient

# Both sides of zero, of the series around it, and of float32's exp.
LOGITS = [-1e4, -100.0, -5.0, -0.01, -1e-4, 0.0, 1e-4, 0.01, 5.0, 100.0, 1e4]


@pytest.fixture
def likelihood():
    return built(ContinuousBernoulli(), (1,))


def log_normaliser(logit):
    """log of the integral of exp(x * logit) over [0, 1], in float64."""
    return np.log(moments(logit, 0)) + max(logit, 0.0)


def moments(logit, power):
    """Integral of x**power exp(x * logit - max(logit, 0)) over [0, 1]."""
    # The mass sits within a few 1 / |logit| of one end.
    width = min(1.0, 40.0 / max(abs(logit), 1e-9))
    ends = (1.0 - width, 1.0) if logit > 0 else (0.0, width)
    return integrate.quad(
        lambda x: x**power * np.exp(x * logit - max(logit, 0.0)), *ends
    )[0]


@pytest.mark.parametrize("logit", LOGITS)
@pytest.mark.parametrize("x", [0.0, 0.3, 1.0])
def test_value_and_gradient_against_integration(likelihood, logit, x):
    value, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, [[x]]), [[logit]]
    )
    expected = x * logit - log_normaliser(logit)
    np.testing.assert_allclose(value, [expected], rtol=1e-6, atol=1e-6)
    mean = moments(logit, 1) / moments(logit, 0)
    np.testing.assert_allclose(gradient, [[x - mean]], atol=1e-6)


@pytest.mark.parametrize("logit", LOGITS)
def test_mean_against_integration(likelihood, logit):
    mean, gradient = value_and_gradient(likelihood.mean, [[logit]])
    expected = moments(logit, 1) / moments(logit, 0)
    np.testing.assert_allclose(mean, [[expected]], rtol=1e-4, atol=1e-6)
    variance = moments(logit, 2) / moments(logit, 0) - expected**2
    np.testing.assert_allclose(gradient, [[variance]], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("logit", [-100.0, -3.0, 0.0, 3.0, 100.0])
def test_integrates_to_one(likelihood, logit):
    x = np.linspace(0, 1, 20001, dtype="float32")[:, np.newaxis]
    density = np.exp(likelihood.log_prob([[logit]], x).numpy())
    assert integrate.simpson(density, x=x[:, 0]) == pytest.approx(1, abs=1e-4)


def test_samples_have_the_mean(likelihood):
    params = tf.constant([[-4.0], [0.0], [2.0]])
    drawn = likelihood.distribution(params).sample(20000, seed=[0, 1])
    np.testing.assert_allclose(
        tf.reduce_mean(drawn, axis=0), likelihood.mean(params), atol=0.01
    )


def test_sums_over_the_event():
    likelihood = built(ContinuousBernoulli(), (2, 2, 1))
    params = np.random.default_rng(0).normal(size=(3, 2, 2, 1))
    x = np.full((3, 2, 2, 1), 0.25, "float32")
    expected = 0.25 * params - np.vectorize(log_normaliser)(params)
    np.testing.assert_allclose(
        likelihood.log_prob(params.astype("float32"), x),
        expected.sum((1, 2, 3)),
        rtol=1e-5,
    )


def test_validate(likelihood):
    likelihood.validate_exact(np.array([[0.0, 0.5, 1.0]]))
    with pytest.raises(ValueError, match=r"continuous Bernoulli.*by 255"):
        likelihood.validate(np.array([[255.0]]))
