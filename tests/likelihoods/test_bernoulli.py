import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from tensorflow_probability import distributions as tfd

from keras_vae.likelihoods import Bernoulli
from tests.likelihoods.helpers import built
from tests.likelihoods.helpers import value_and_gradient

EVENT = (2, 3, 1)


@pytest.fixture
def likelihood():
    return built(Bernoulli(), EVENT)


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(0, 3, (5, *EVENT))


def test_log_prob_against_numpy_and_tfd(likelihood, logits):
    rng = np.random.default_rng(1)
    soft = rng.uniform(size=logits.shape)
    for x in (soft, (soft > 0.5).astype(float)):
        expected = special.xlogy(x, special.expit(logits))
        expected += special.xlogy(1 - x, special.expit(-logits))
        value = likelihood.log_prob(logits, x.astype("float32"))
        assert value.dtype == tf.float32
        np.testing.assert_allclose(
            value, expected.sum((1, 2, 3)), rtol=1e-5, atol=1e-5
        )
        reference = tfd.Independent(
            tfd.Bernoulli(logits=logits.astype("float32"), dtype="float32"), 3
        )
        np.testing.assert_allclose(
            value,
            reference.log_prob(x.astype("float32")),
            rtol=1e-5,
            atol=1e-5,
        )


def test_gradient_is_x_minus_probability(likelihood, logits):
    x = np.random.default_rng(1).uniform(size=logits.shape).astype("float32")
    _, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, x), logits
    )
    np.testing.assert_allclose(
        gradient, x - special.expit(logits), rtol=1e-4, atol=1e-6
    )


def test_distribution_has_the_same_log_prob_and_mean(likelihood, logits):
    x = np.random.default_rng(1).integers(0, 2, logits.shape)
    distribution = likelihood.distribution(logits)
    assert distribution.event_shape == EVENT
    np.testing.assert_allclose(
        distribution.log_prob(x.astype("float32")),
        likelihood.log_prob(logits, x.astype("float32")),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        likelihood.mean(logits), distribution.mean(), rtol=1e-5
    )
    drawn = distribution.sample(20000, seed=[0, 1])
    np.testing.assert_allclose(
        tf.reduce_mean(drawn, axis=0), special.expit(logits), atol=0.02
    )


@pytest.mark.parametrize("x", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("logit", [-1e4, -100.0, 0.0, 100.0, 1e4])
def test_extreme_logits(x, logit):
    likelihood = built(Bernoulli(), (1,))
    value, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, [[x]]), [[logit]]
    )
    expected = x * logit - np.logaddexp(0.0, logit)
    np.testing.assert_allclose(value, [expected], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        gradient, [[x - special.expit(logit)]], rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("num", [1, 99, 101, 1000])
def test_sums_of_many_elements(num):
    rng = np.random.default_rng(0)
    # Some of them where all factors of the product are 2, and where all are 1.
    logits = rng.normal(0, 3, (4, num)) * [[0.0], [1e-3], [1.0], [1e3]]
    logits = logits.astype("float32")
    x = rng.integers(0, 2, (4, num)).astype("float32")
    value, gradient = value_and_gradient(
        lambda params: built(Bernoulli(), (num,)).log_prob(params, x), logits
    )
    exact = logits.astype("float64")
    expected = x * exact - np.logaddexp(0.0, exact)
    np.testing.assert_allclose(value, expected.sum(1), rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(
        gradient, x - special.expit(exact), rtol=1e-6, atol=1e-6
    )


def test_second_derivative(likelihood):
    logits = tf.constant(
        np.linspace(-3.0, 3.0, 6).reshape(1, 2, 3, 1), "float32"
    )
    with tf.GradientTape() as outer:
        outer.watch(logits)
        with tf.GradientTape() as inner:
            inner.watch(logits)
            value = likelihood.log_prob(logits, tf.zeros_like(logits))
        gradient = inner.gradient(value, logits)
    probabilities = special.expit(logits)
    np.testing.assert_allclose(
        outer.gradient(gradient, logits),
        -probabilities * (1 - probabilities),
        rtol=1e-5,
    )


def test_samples_axis_broadcasts(likelihood, logits):
    x = np.random.default_rng(1).uniform(size=logits.shape).astype("float32")
    stacked = np.stack([logits, -logits])
    value = likelihood.log_prob(stacked, x)
    assert value.shape == (2, 5)
    np.testing.assert_allclose(
        value[1], likelihood.log_prob(-logits, x), rtol=1e-6
    )


def test_validate(likelihood):
    likelihood.validate(np.array([[0.0, 0.5, 1.0]]))
    with pytest.raises(ValueError, match="divide 8-bit images by 255"):
        likelihood.validate(np.array([[0.0, 255.0]]))
    with pytest.raises(ValueError, match=r"Received: x between -0\.1 and 0"):
        likelihood.validate(np.array([[-0.1, 0.0]]))
    with pytest.raises(ValueError, match="Received: x of dtype uint8"):
        likelihood.validate(np.zeros((1, 2), "uint8"))
    with pytest.raises(ValueError, match="1 of 2 values NaN"):
        likelihood.validate(np.array([[np.nan, 0.0]]))


def test_exact_needs_binary_data(likelihood):
    likelihood.validate_exact(np.array([[0.0, 1.0]]))
    with pytest.raises(ValueError, match=r"continuous_bernoulli.*such as 0\.5"):
        likelihood.validate_exact(np.array([[0.0, 0.5]]))
