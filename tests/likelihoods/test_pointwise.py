"""Log-probabilities of each element, where they exist."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from scipy import stats

from keras_vae import likelihoods
from tests.likelihoods.helpers import built

EVENT = (3, 2, 2)
FACTORIZED = {
    "squared_error": likelihoods.SquaredError,
    "bernoulli": likelihoods.Bernoulli,
    "continuous_bernoulli": likelihoods.ContinuousBernoulli,
    "categorical": lambda: likelihoods.Categorical(2),
    "normal fixed": lambda: likelihoods.Normal(0.5),
    "normal learned": lambda: likelihoods.Normal("learned"),
    "normal predicted": lambda: likelihoods.Normal("predicted"),
    "normal optimal": lambda: likelihoods.Normal("optimal"),
}


@pytest.fixture(params=FACTORIZED)
def likelihood(request):
    return built(FACTORIZED[request.param](), EVENT)


def params_and_x(likelihood, leading=()):
    rng = np.random.default_rng(0)
    shape = (*leading, 5, *likelihood.params_shape(EVENT))
    params = rng.normal(size=shape).astype("float32")
    return params, rng.integers(0, 2, (5, *EVENT)).astype("float32")


@pytest.mark.parametrize("training", [False, True])
def test_log_prob_is_their_sum(likelihood, training):
    params, x = params_and_x(likelihood)
    pointwise = likelihood.pointwise_log_prob(params, x, training)
    assert pointwise.shape == x.shape
    assert pointwise.dtype == tf.float32
    np.testing.assert_allclose(
        likelihood.log_prob(params, x, training),
        np.sum(pointwise, axis=(1, 2, 3), dtype="float64"),
        rtol=1e-5,
    )


def test_log_prob_is_that_of_the_distribution(likelihood):
    params, x = params_and_x(likelihood)
    expected = likelihood.distribution(params).log_prob(x)
    if not likelihood.normalized:
        expected += np.prod(EVENT) * np.log(np.pi) / 2
    np.testing.assert_allclose(
        likelihood.log_prob(params, x), expected, rtol=1e-5
    )


def test_an_element_depends_on_its_own_value_only(likelihood):
    params, x = params_and_x(likelihood)
    before = likelihood.pointwise_log_prob(params, x)
    x[:, 1, 0, 1] = 1 - x[:, 1, 0, 1]
    changed = np.not_equal(likelihood.pointwise_log_prob(params, x), before)
    expected = np.zeros(x.shape, "bool")
    expected[:, 1, 0, 1] = True
    np.testing.assert_array_equal(changed, expected)


def test_samples_axis_broadcasts(likelihood):
    params, x = params_and_x(likelihood, leading=(2,))
    pointwise = likelihood.pointwise_log_prob(params, x)
    assert pointwise.shape == (2, *x.shape)
    np.testing.assert_allclose(
        pointwise[1], likelihood.pointwise_log_prob(params[1], x), rtol=1e-6
    )


def test_values_against_numpy():
    x = np.array([[0.0, 1.0, 1.0]])
    params = np.array([[2.0, -1.0, 30.0]])
    expected = {
        "squared_error": -((x - params) ** 2),
        "bernoulli": np.log(special.expit(params * (2 * x - 1))),
        "normal fixed": stats.norm(params, 0.5).logpdf(x),
    }
    for name, values in expected.items():
        likelihood = built(FACTORIZED[name](), (3,))
        np.testing.assert_allclose(
            likelihood.pointwise_log_prob(
                params.astype("float32"), x.astype("float32")
            ),
            values,
            rtol=1e-5,
            atol=1e-7,
        )


def test_mixtures_over_pixels_do_not_factorise_over_channels():
    mixture = built(likelihoods.DiscretizedLogisticMixture(2), (3, 2, 3))
    message = "DiscretizedLogisticMixture is no product.*Received: likelihood="
    with pytest.raises(ValueError, match=message):
        mixture.pointwise_log_prob(np.zeros((1, 3, 2, 20)), np.zeros(1))
