import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from scipy import stats

from keras_vae.likelihoods import DiscretizedLogisticMixture
from tests.likelihoods.helpers import built
from tests.likelihoods.helpers import value_and_gradient

K = 3
GREY = (1, 1, 1)
COLOUR = (1, 1, 3)


def make(event_shape, num_levels=256, num_components=K):
    return built(
        DiscretizedLogisticMixture(num_components, num_levels), event_shape
    )


def make_params(likelihood, event_shape, batch=1, seed=0):
    shape = (batch, *likelihood.params_shape(event_shape))
    return np.random.default_rng(seed).normal(0, 1, shape)


def all_colours(num_levels):
    """Every colour of one pixel: (num_levels**3, 1, 1, 3)."""
    levels = np.arange(num_levels) / (num_levels - 1)
    colours = np.array(list(itertools.product(levels, repeat=3)))
    return colours.reshape(-1, *COLOUR).astype("float32")


def numpy_log_prob(params, x, num_levels):
    """The formula of Salimans et al. pixel by pixel, in float64."""
    channels = x.shape[-1]
    total = np.zeros(len(x))
    for row, i, j in np.ndindex(x.shape[:3]):
        p = np.split(params[row, i, j], len(params[row, i, j]) // K)
        weights = special.softmax(p[0])
        means, log_scales = p[1 : 1 + channels], p[1 + channels :]
        pixel = 2 * x[row, i, j].astype("float64") - 1
        mixture = weights.copy()
        for c in range(channels):
            mean, scale = means[c].copy(), np.exp(np.maximum(log_scales[c], -7))
            if channels == 3:
                on_red, blue_on_red, blue_on_green = np.tanh(log_scales[3:])
                if c == 1:
                    mean += on_red * pixel[0]
                if c == 2:
                    mean += blue_on_red * pixel[0] + blue_on_green * pixel[1]
            level = round(x[row, i, j, c] * (num_levels - 1))
            half = 1 / (num_levels - 1)
            upper = special.expit((pixel[c] + half - mean) / scale)
            lower = special.expit((pixel[c] - half - mean) / scale)
            if level == 0:
                lower = 0.0
            if level == num_levels - 1:
                upper = 1.0
            mixture *= upper - lower
        total[row] += np.log(mixture.sum())
    return total


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("num_levels", [2, 16, 256])
def test_log_prob_against_numpy(channels, num_levels):
    event_shape = (2, 2, channels)
    likelihood = make(event_shape, num_levels)
    params = make_params(likelihood, event_shape, batch=6)
    rng = np.random.default_rng(1)
    levels = rng.integers(0, num_levels, (6, *event_shape))
    levels[0], levels[1] = 0, num_levels - 1
    x = (levels / (num_levels - 1)).astype("float32")
    np.testing.assert_allclose(
        likelihood.log_prob(params, x),
        numpy_log_prob(params, x, num_levels),
        rtol=1e-4,
    )


@pytest.mark.parametrize("log_scale", [-30.0, -7.0, -3.0, 0.0, 5.0])
@pytest.mark.parametrize("location", [-3.0, -0.999, 0.0, 0.4, 30.0])
def test_grey_sums_to_one(log_scale, location):
    likelihood = make(GREY, num_components=1)
    params = np.array([0.0, location, log_scale]).reshape(1, 1, 1, 3)
    x = np.linspace(0, 1, 256, dtype="float32").reshape(-1, *GREY)
    total = special.logsumexp(likelihood.log_prob(params, x))
    assert total == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_colours_sum_to_one(seed):
    likelihood = make(COLOUR, num_levels=4)
    params = make_params(likelihood, COLOUR, seed=seed)
    log_prob = likelihood.log_prob(params, all_colours(4))
    assert special.logsumexp(log_prob) == pytest.approx(0, abs=1e-5)


def test_gradient_against_finite_differences():
    event_shape = (1, 2, 3)
    likelihood = make(event_shape, num_levels=16)
    params = make_params(likelihood, event_shape, batch=1)
    x = (np.arange(6).reshape(1, 1, 2, 3) * 3 / 15).astype("float32")
    _, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, x), params
    )
    expected = np.zeros_like(params)
    for index in np.ndindex(params.shape):
        step = np.zeros_like(params)
        step[index] = 1e-5
        difference = numpy_log_prob(params + step, x, 16)
        difference -= numpy_log_prob(params - step, x, 16)
        expected[index] = difference[0] / 2e-5
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("log_scale", [-1e4, -20.0, 0.0, 20.0, 90.0, 1e4])
@pytest.mark.parametrize("location", [-1e4, -1.0, 0.0, 1e4])
@pytest.mark.parametrize("event_shape", [GREY, COLOUR])
def test_extremes_are_finite(event_shape, location, log_scale):
    likelihood = make(event_shape)
    params = make_params(likelihood, event_shape)
    channels = event_shape[-1]
    params[..., K : K * (1 + channels)] = location
    params[..., K * (1 + channels) : K * (1 + 2 * channels)] = log_scale
    params[..., :K] *= 1e4
    x = np.array([0.0, 1 / 255, 128 / 255, 1.0], "float32")
    x = np.broadcast_to(x.reshape(-1, 1, 1, 1), (4, *event_shape))
    value, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, x), params
    )
    assert np.all(np.isfinite(value))
    assert np.all(np.isfinite(gradient))
    assert np.all(np.isfinite(likelihood.mean(params)))


@pytest.mark.parametrize("num_levels", [2, 4, 256])
def test_samples_are_on_the_grid(num_levels):
    event_shape = (2, 2, 3)
    likelihood = make(event_shape, num_levels)
    params = make_params(likelihood, event_shape, batch=5)
    drawn = likelihood.distribution(params).sample(7, seed=[0, 1])
    assert drawn.shape == (7, 5, *event_shape)
    likelihood.validate_exact(np.asarray(drawn))


@pytest.mark.parametrize("event_shape", [GREY, COLOUR])
def test_samples_follow_log_prob(event_shape):
    likelihood = make(event_shape, num_levels=4)
    params = make_params(likelihood, event_shape)
    # Sharp, and strongly coupled: channels must be conditioned on levels.
    channels = event_shape[-1]
    params[..., K * (1 + channels) : K * (1 + 2 * channels)] -= 1.0
    params[..., K * (1 + 2 * channels) :] *= 10.0
    support = all_colours(4)[..., :channels]
    support = np.unique(support.reshape(-1, channels), axis=0)
    log_prob = likelihood.log_prob(
        params, support.reshape(-1, *event_shape).astype("float32")
    )
    drawn = likelihood.distribution(params).sample(50000, seed=[0, 1])
    drawn = np.asarray(drawn).reshape(-1, 1, channels)
    counts = np.all(np.abs(drawn - support) < 1e-4, axis=-1).sum(0)
    assert counts.sum() == 50000
    expected = 50000 * np.exp(np.asarray(log_prob, "float64"))
    common = expected > 5
    square = np.sum((counts - expected)[common] ** 2 / expected[common])
    assert stats.chi2(common.sum() - 1).sf(square) > 1e-3


def test_mean_is_that_of_the_samples():
    likelihood = make(COLOUR)
    params = make_params(likelihood, COLOUR)
    # Away from black and white, where samples are cut off.
    params[..., K : 4 * K] *= 0.1
    params[..., 4 * K : 7 * K] = -4.0
    drawn = likelihood.distribution(params).sample(20000, seed=[0, 1])
    np.testing.assert_allclose(
        likelihood.mean(params), tf.reduce_mean(drawn, axis=0), atol=2e-3
    )


def test_samples_axis_broadcasts():
    event_shape = (2, 2, 3)
    likelihood = make(event_shape)
    params = make_params(likelihood, event_shape, batch=4)
    x = np.full((4, *event_shape), 51 / 255, "float32")
    value = likelihood.log_prob(np.stack([params, -params]), x)
    assert value.shape == (2, 4)
    np.testing.assert_allclose(
        value[1], likelihood.log_prob(-params, x), rtol=1e-5
    )


def test_shapes():
    likelihood = make((4, 5, 1))
    assert likelihood.params_shape((4, 5, 1)) == (4, 5, 3 * K)
    assert likelihood.params_shape((4, 5, 3)) == (4, 5, 10 * K)
    distribution = likelihood.distribution(np.zeros((2, 4, 5, 3 * K)))
    assert distribution.batch_shape == (2,)
    assert distribution.event_shape == (4, 5, 1)


@pytest.mark.parametrize("event_shape", [(2, 4, 1), (2, 4, 3)])
def test_shapes_are_static_where_the_batch_is_not(event_shape):
    likelihood = make(event_shape)
    params_shape = likelihood.params_shape(event_shape)

    @tf.function(input_signature=[tf.TensorSpec((7, None, *params_shape))])
    def run(params):
        distribution = likelihood.distribution(params)
        assert distribution.batch_shape.as_list() == [7, None]
        assert distribution.event_shape == event_shape
        drawn = distribution.sample(seed=[0, 1])
        return distribution.mean(), distribution.log_prob(drawn)

    mean, log_prob = run(tf.zeros([7, 5, *params_shape]))
    assert mean.shape == (7, 5, *event_shape)
    assert log_prob.shape == (7, 5)


def test_arguments():
    with pytest.raises(ValueError, match="Received: num_components=0"):
        DiscretizedLogisticMixture(0)
    with pytest.raises(ValueError, match="Received: num_levels=1"):
        DiscretizedLogisticMixture(num_levels=1)
    with pytest.raises(ValueError, match=r"Received: event_shape=\(64,\)"):
        DiscretizedLogisticMixture().params_shape((64,))


def test_validate():
    likelihood = make(GREY)
    with pytest.raises(ValueError, match=r"256 levels.*such as 0\.5"):
        likelihood.validate(np.array([[0.5]]))
