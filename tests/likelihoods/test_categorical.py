import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from scipy import stats

from keras_vae.likelihoods import Categorical
from tests.likelihoods.helpers import built
from tests.likelihoods.helpers import value_and_gradient

EVENT = (2, 2, 3)
LEVELS = 5


@pytest.fixture
def likelihood():
    return built(Categorical(LEVELS), EVENT)


@pytest.fixture
def params(likelihood):
    shape = (4, *likelihood.params_shape(EVENT))
    return np.random.default_rng(0).normal(0, 2, shape)


@pytest.fixture
def levels():
    return np.random.default_rng(1).integers(0, LEVELS, (4, *EVENT))


def probabilities(params):
    return special.softmax(params.reshape(4, *EVENT, LEVELS), axis=-1)


def test_log_prob_against_numpy(likelihood, params, levels):
    chosen = np.take_along_axis(
        probabilities(params), levels[..., np.newaxis], axis=-1
    )
    expected = np.log(chosen).sum((1, 2, 3, 4))
    x = (levels / (LEVELS - 1)).astype("float32")
    np.testing.assert_allclose(
        likelihood.log_prob(params, x), expected, rtol=1e-5
    )
    np.testing.assert_allclose(
        likelihood.distribution(params).log_prob(x), expected, rtol=1e-5
    )


def test_mean_against_numpy(likelihood, params):
    expected = probabilities(params) @ np.linspace(0, 1, LEVELS)
    np.testing.assert_allclose(likelihood.mean(params), expected, rtol=1e-5)


@pytest.mark.parametrize("num_levels", [2, 7, 256])
def test_sums_to_one_over_the_levels(num_levels):
    likelihood = built(Categorical(num_levels), (1,))
    params = np.random.default_rng(0).normal(0, 3, (1, num_levels))
    params = np.tile(params, (num_levels, 1))
    x = np.linspace(0, 1, num_levels, dtype="float32")[:, np.newaxis]
    for log_prob in (
        likelihood.log_prob(params, x),
        likelihood.distribution(params).log_prob(x),
    ):
        assert log_prob.shape == (num_levels,)
        assert special.logsumexp(log_prob) == pytest.approx(0, abs=1e-5)


def test_samples_match_the_probabilities(likelihood, params):
    drawn = likelihood.distribution(params).sample(4000, seed=[0, 1])
    indices = np.asarray(drawn) * (LEVELS - 1)
    np.testing.assert_allclose(indices, np.round(indices), atol=1e-5)
    counts = (np.round(indices[..., np.newaxis]) == np.arange(LEVELS)).sum(0)
    expected = 4000 * probabilities(params)
    square = np.sum((counts - expected) ** 2 / expected)
    degrees = expected.size // LEVELS * (LEVELS - 1)
    assert stats.chi2(degrees).sf(square) > 1e-3


def test_samples_axis_broadcasts(likelihood, params, levels):
    x = (levels / (LEVELS - 1)).astype("float32")
    value = likelihood.log_prob(np.stack([params, -params]), x)
    np.testing.assert_allclose(
        value[1], likelihood.log_prob(-params, x), rtol=1e-6
    )


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_extreme_logits(size):
    likelihood = built(Categorical(3), (1,))
    x = tf.constant([[0.0], [0.5], [1.0]])
    value, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, x), 3 * [[size, 0, -size]]
    )
    np.testing.assert_allclose(value, [0.0, -size, -2 * size], rtol=1e-6)
    assert np.all(np.isfinite(gradient))


def test_arguments():
    with pytest.raises(ValueError, match="Received: num_levels=1"):
        Categorical(1)


def test_validate(likelihood):
    likelihood.validate_exact(np.array([[0.0, 0.25, 1.0]], "float32"))
    with pytest.raises(ValueError, match=r"5 levels k / 4.*such as 0\.3"):
        likelihood.validate(np.array([[0.0, 0.3]]))
    with pytest.raises(ValueError, match="by 255"):
        likelihood.validate(np.array([[255.0]]))
