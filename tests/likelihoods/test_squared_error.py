import numpy as np
import pytest
import tensorflow as tf

from keras_vae.likelihoods import SquaredError
from tests.likelihoods.helpers import built
from tests.likelihoods.helpers import value_and_gradient

EVENT = (2, 3)


@pytest.fixture
def likelihood():
    return built(SquaredError(), EVENT)


def test_is_the_sum_of_squares(likelihood):
    rng = np.random.default_rng(0)
    x, params = rng.normal(size=(2, 5, *EVENT))
    value, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, x.astype("float32")), params
    )
    np.testing.assert_allclose(
        value, -np.square(x - params).sum((1, 2)), rtol=1e-5
    )
    np.testing.assert_allclose(gradient, 2 * (x - params), rtol=1e-4, atol=1e-5)


def test_differs_from_its_distribution_by_a_constant(likelihood):
    params = tf.random.stateless_normal((5, *EVENT), [0, 1])
    distribution = likelihood.distribution(params)
    x = distribution.sample(seed=[0, 2])
    np.testing.assert_allclose(
        distribution.log_prob(x),
        likelihood.log_prob(params, x) - 3 * np.log(np.pi),
        rtol=1e-5,
    )
    np.testing.assert_array_equal(likelihood.mean(params), params)


def test_extreme_values_are_finite(likelihood):
    params = np.full((1, *EVENT), 1e15)
    value, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, -params), params
    )
    np.testing.assert_allclose(value, [-6 * 4e30], rtol=1e-6)
    assert np.all(np.isfinite(gradient))


def test_is_no_log_likelihood(likelihood):
    x = np.zeros((1, *EVENT))
    likelihood.validate(x)
    with pytest.raises(ValueError, match="no normalised likelihood"):
        likelihood.validate_exact(x)
