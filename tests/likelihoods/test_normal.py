import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from scipy import stats

from keras_vae.likelihoods import Normal
from tests.likelihoods.helpers import built
from tests.likelihoods.helpers import value_and_gradient

EVENT = (2, 2, 3)


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return rng.normal(size=(5, *EVENT)).astype("float32")


@pytest.fixture
def mean():
    rng = np.random.default_rng(1)
    return rng.normal(size=(5, *EVENT)).astype("float32")


def log_prob(x, mean, scale):
    return stats.norm(mean.astype("float64"), scale).logpdf(x).sum((1, 2, 3))


def test_fixed_scale(x, mean):
    likelihood = built(Normal(scale=0.3), EVENT)
    np.testing.assert_allclose(
        likelihood.log_prob(mean, x), log_prob(x, mean, 0.3), rtol=1e-5
    )
    np.testing.assert_array_equal(likelihood.mean(mean), mean)
    assert not likelihood.weights


def test_learned_scale(x, mean):
    likelihood = built(Normal(scale="learned"), EVENT)
    (log_scale,) = likelihood.trainable_weights
    log_scale.assign(-0.7)
    np.testing.assert_allclose(
        likelihood.log_prob(mean, x),
        log_prob(x, mean, np.exp(-0.7)),
        rtol=1e-5,
    )
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(likelihood.log_prob(mean, x))
    # d/d log s of -r**2 / (2 s**2) - log s
    squares = np.square(x - mean, dtype="float64") * np.exp(1.4)
    np.testing.assert_allclose(
        tape.gradient(total, log_scale.value),
        np.sum(squares - 1.0),
        rtol=1e-4,
    )


def test_learned_scale_is_bounded_below(x, mean):
    likelihood = built(Normal(scale="learned", min_scale=0.1), EVENT)
    likelihood.log_scale.assign(-200.0)
    np.testing.assert_allclose(
        likelihood.log_prob(mean, x), log_prob(x, mean, 0.1), rtol=1e-5
    )


def test_predicted_scale(x, mean):
    likelihood = built(Normal(scale="predicted"), EVENT)
    assert likelihood.params_shape(EVENT) == (2, 2, 6)
    raw = np.random.default_rng(2).normal(size=mean.shape).astype("float32")
    params = np.concatenate([mean, raw], axis=-1)
    scale = special.softplus(raw.astype("float64")) + 1e-3
    np.testing.assert_allclose(
        likelihood.log_prob(params, x), log_prob(x, mean, scale), rtol=1e-5
    )
    np.testing.assert_array_equal(likelihood.mean(params), mean)


@pytest.mark.parametrize("raw", [-1e4, 0.0, 1e4])
@pytest.mark.parametrize("location", [-1e4, 0.0, 1e4])
def test_predicted_scale_at_extremes(raw, location):
    likelihood = built(Normal(scale="predicted"), (1,))
    value, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, [[0.5]]), [[location, raw]]
    )
    assert np.all(np.isfinite(value))
    assert np.all(np.isfinite(gradient))


def test_optimal_scale_is_that_of_the_batch(x, mean):
    likelihood = built(Normal(scale="optimal"), EVENT)
    scale = np.sqrt(np.mean(np.square(x - mean, dtype="float64")))
    np.testing.assert_allclose(
        likelihood.log_prob(mean, x, training=True),
        log_prob(x, mean, scale),
        rtol=1e-5,
    )


def test_optimal_scale_maximises_the_likelihood(x, mean):
    likelihood = built(Normal(scale="optimal"), EVENT)
    total = np.sum(likelihood.log_prob(mean, x, training=True))
    scale = np.sqrt(np.mean(np.square(x - mean)))
    for other in (0.98 * scale, 1.02 * scale):
        assert np.sum(log_prob(x, mean, other)) < total


def test_optimal_scale_gradient_is_that_of_log_sse(x, mean):
    likelihood = built(Normal(scale="optimal"), EVENT)
    _, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, x, training=True), mean
    )
    _, expected = value_and_gradient(
        lambda params: (
            -0.5 * x.size * tf.math.log(tf.reduce_sum((x - params) ** 2))
        ),
        mean,
    )
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


def test_optimal_scale_runs_without_bias(x, mean):
    likelihood = built(Normal(scale="optimal", momentum=0.9), EVENT)
    np.testing.assert_allclose(
        likelihood.log_prob(mean, x), log_prob(x, mean, 1.0), rtol=1e-5
    )
    weights, squares = [], []
    for step in range(3):
        factor = 1.0 + step
        likelihood.log_prob(factor * mean, factor * x, training=True)
        weights.append(0.9 ** (2 - step))
        squares.append(factor**2 * np.mean(np.square(x - mean)))
        # The mean of the squares so far, whatever the start.
        recent = np.array(weights) * 0.9 ** (step - 2)
        scale = np.sqrt(np.sum(recent * squares) / np.sum(recent))
        np.testing.assert_allclose(
            likelihood.log_prob(mean, x), log_prob(x, mean, scale), rtol=1e-4
        )


def test_inference_leaves_the_running_scale(x, mean):
    likelihood = built(Normal(scale="optimal"), EVENT)
    likelihood.log_prob(mean, x, training=True)
    before = likelihood.get_weights()
    likelihood.log_prob(mean, 3 * x)
    np.testing.assert_array_equal(before, likelihood.get_weights())


def test_optimal_scale_of_a_perfect_fit_is_finite(x):
    likelihood = built(Normal(scale="optimal"), EVENT)
    value, gradient = value_and_gradient(
        lambda params: likelihood.log_prob(params, x, training=True), x
    )
    np.testing.assert_allclose(value, log_prob(x, x, 1e-3), rtol=1e-5)
    np.testing.assert_array_equal(gradient, 0.0)


def test_optimal_scale_of_ragged_shards_is_that_of_the_batch(mirrored, x, mean):
    with mirrored.scope():
        likelihood = built(Normal(scale="optimal"), EVENT)
    shards = [slice(0, 4), slice(4, 5)]

    def shard(array):
        return mirrored.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                array[shards[context.replica_id_in_sync_group]]
            )
        )

    @tf.function
    def run(mean, x):
        return mirrored.run(
            lambda mean, x: likelihood.log_prob(mean, x, training=True),
            args=(mean, x),
        )

    value = mirrored.gather(run(shard(mean), shard(x)), axis=0)
    alone = built(Normal(scale="optimal"), EVENT)
    np.testing.assert_allclose(
        value, alone.log_prob(mean, x, training=True), rtol=1e-5
    )
    for variable, expected in zip(
        likelihood.weights, alone.weights, strict=True
    ):
        for replica in mirrored.experimental_local_results(variable.value):
            np.testing.assert_allclose(replica, expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [0.5, "learned", "predicted", "optimal"])
def test_samples_match_the_distribution(scale):
    likelihood = built(Normal(scale=scale), (2,))
    params = np.linspace(-1, 1, likelihood.params_shape((2,))[0])
    distribution = likelihood.distribution(params[np.newaxis])
    drawn = distribution.sample(20000, seed=[0, 1])
    np.testing.assert_allclose(
        tf.reduce_mean(drawn, axis=0), distribution.mean(), atol=0.05
    )
    entropy = -tf.reduce_mean(distribution.log_prob(drawn))
    np.testing.assert_allclose(entropy, distribution.entropy()[0], atol=0.05)


def test_arguments():
    for scale in (0.0, -1.0, "large", None):
        with pytest.raises(ValueError, match="Received: scale="):
            Normal(scale=scale)
    with pytest.raises(ValueError, match=r"Received: momentum=1\.0"):
        Normal(momentum=1.0)
    with pytest.raises(ValueError, match="Received: min_scale=0"):
        Normal(min_scale=0)
    restored = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(
            Normal(scale="optimal", momentum=0.5, min_scale=0.1)
        )
    )
    assert (restored.scale, restored.momentum) == ("optimal", 0.5)
    assert restored.min_scale == 0.1


def test_validate():
    likelihood = built(Normal(), (1,))
    likelihood.validate_exact(np.array([[-300.0, 300.0]]))
    with pytest.raises(ValueError, match="must be finite"):
        likelihood.validate(np.array([[np.inf]]))
