import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from keras_vae import posteriors
from keras_vae import priors
from keras_vae import random

K, DIM, EVENT = 3, 2, (4, 1)


@pytest.fixture(params=["diagonal_normal", "full_covariance_normal"])
def encode(request):
    posterior = posteriors.get(request.param, DIM)
    posterior.head.bias_initializer = keras.initializers.RandomNormal()
    return posterior.distribution


@pytest.fixture
def prior():
    prior = priors.VampPrior(K)
    prior.build((None, DIM), EVENT)
    return prior


def test_pseudo_inputs_are_data(prior):
    pseudo_inputs = prior.pseudo_inputs()
    assert pseudo_inputs.shape == (K, *EVENT)
    np.testing.assert_allclose(
        pseudo_inputs, special.expit(*prior.get_weights()), rtol=1e-5
    )
    linear = priors.VampPrior(K, activation="linear")
    linear.build((None, DIM), EVENT)
    np.testing.assert_array_equal(linear.pseudo_inputs(), *linear.get_weights())


def test_is_the_mixture_of_posteriors(prior, encode):
    z = np.random.default_rng(0).normal(size=(5, DIM)).astype("float32")
    components = encode(prior.pseudo_inputs())
    expected = special.logsumexp(
        np.asarray(components.log_prob(z[:, np.newaxis]), "float64"), axis=1
    ) - np.log(K)
    np.testing.assert_allclose(
        prior.distribution(encode).log_prob(z), expected, rtol=1e-4
    )
    np.testing.assert_allclose(prior(z, encode=encode), expected, rtol=1e-4)


def test_samples_have_the_moments(prior, encode):
    z = np.asarray(prior.sample(40000, random.as_seed(0), encode=encode))
    components = encode(prior.pseudo_inputs())
    mean = np.mean(components.mean(), axis=0)
    np.testing.assert_allclose(z.mean(0), mean, atol=0.05)
    square = np.mean(components.variance() + components.mean() ** 2, axis=0)
    np.testing.assert_allclose(z.var(0), square - mean**2, rtol=0.05)


def test_temperature_zero_gives_means_of_components(prior, encode):
    z = prior.sample(500, random.as_seed(0), 0.0, encode)
    means = encode(prior.pseudo_inputs()).mean()
    distance = np.abs(z[:, tf.newaxis] - means).max(-1)
    assert np.all(distance.min(1) < 1e-5)
    assert set(distance.argmin(1)) == set(range(K))


def test_kl_estimate_against_numpy(prior, encode):
    posterior = encode(np.random.default_rng(0).uniform(size=(5, *EVENT)))
    z = posterior.sample(7, seed=[0, 1])
    components = encode(prior.pseudo_inputs())
    log_prior = special.logsumexp(
        np.asarray(components.log_prob(z[..., tf.newaxis, :])), axis=-1
    ) - np.log(K)
    np.testing.assert_allclose(
        prior.kl(posterior, z, encode),
        np.mean(posterior.log_prob(z) - log_prior, axis=0),
        rtol=1e-4,
        atol=1e-5,
    )


def test_gradient_reaches_the_pseudo_inputs(prior, encode):
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(prior(tf.ones([5, DIM]), encode=encode))
    (gradient,) = tape.gradient(value, prior.trainable_variables)
    assert np.all(np.isfinite(gradient))
    assert np.all(np.any(gradient != 0, axis=(1, 2)))


@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_extremes_are_finite(prior, encode, size):
    prior.pseudo_weights.assign(np.full((K, *EVENT), size))
    with tf.GradientTape() as tape:
        value = prior(tf.fill([5, DIM], size), encode=encode)
    assert np.all(np.isfinite(value))
    gradients = tape.gradient(value, prior.trainable_variables)
    assert np.all(np.isfinite(gradients[0]))


def test_arguments(prior):
    with pytest.raises(ValueError, match="Received: num_components=0"):
        priors.VampPrior(0)
    with pytest.raises(ValueError, match="Received: encode=None"):
        prior.distribution()


def test_needs_the_shape_of_the_data(encode):
    with pytest.raises(ValueError, match="Received: encode_shape=None"):
        priors.VampPrior(K)(np.zeros((5, DIM)), encode=encode)
