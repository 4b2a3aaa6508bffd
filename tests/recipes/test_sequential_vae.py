"""The state space models that a TD-VAE is compared with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import datasets
from keras_vae import likelihoods
from keras_vae import networks
from keras_vae import random
from recipes.sequential_vae import INFERENCE
from recipes.sequential_vae import SequentialVAE


def model_of(inference, seed=0):
    return SequentialVAE(
        keras.layers.LSTM(6, kernel_initializer=keras.initializers.Zeros()),
        networks.mlp_decoder(5, (2, 2, 1), (7,), seed=seed),
        latent_dims=[3, 2],
        inference=inference,
        hidden_units=4,
        seed=seed,
    )


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (4, 6, 2, 2, 1)).astype("float32")


# === A linear state space: z' ~ N(A z, Q) from z_0 = 0, x ~ N(C z, R) ===

A, Q, C, R = 0.9, 0.3, 1.2, 0.5


class Exact(SequentialVAE):
    """Filtering of a series of two steps with exact q(z_t | z_{t-1}, x)."""

    def beliefs_of(self, x, state=None, training=False):
        # q(z_1 | x_1, x_2) needs both; q(z_2 | z_1, x_2) the second.
        first, second = x[:, 0, 0], x[:, 1, 0]
        early = tf.stack([first, second], axis=-1)
        late = tf.stack([second, tf.zeros_like(second)], axis=-1)
        return tf.stack([early, late], axis=1), []


def exact_transition(z):
    return A * z, tf.fill(tf.shape(z), Q)


def exact_filter(context):
    """The first step's belief holds two numbers, the second's ends in 0."""
    a, b, z = tf.split(context, 3, axis=-1)
    first = tf.not_equal(b, 0.0)
    mean = tf.where(first, 0.0, A * z)
    variance = tf.fill(tf.shape(z), Q)
    precision = 1.0 / variance + C**2 / R
    shift = mean / variance + C * a / R
    # What x_2 says of z_1: x_2 ~ N(C A z_1, C^2 Q + R).
    spread = C**2 * Q + R
    precision += tf.where(first, (C * A) ** 2 / spread, 0.0)
    shift += tf.where(first, C * A * b / spread, 0.0)
    return shift / precision, 1.0 / precision


def test_exact_inference_makes_the_bound_tight():
    """Every draw gives log p(x_1, x_2), without variance."""
    decoder = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
    )
    decoder.set_weights([np.array([[C]])])
    model = Exact(
        keras.layers.LSTM(2),
        decoder,
        [1],
        likelihood=likelihoods.Normal(np.sqrt(R)),
        seed=0,
    )
    model.build((None, None, 1))
    model.belief_blocks = [exact_filter]
    model.transition_blocks = [exact_transition]
    series = np.float32([0.8, -0.4])
    covariance = np.array([[Q, A * Q], [A * Q, A**2 * Q + Q]])
    covariance = C**2 * covariance + R * np.eye(2)
    expected = -0.5 * series @ np.linalg.solve(covariance, series)
    expected -= 0.5 * np.log(np.linalg.det(2 * np.pi * covariance))
    copies = np.repeat(series[None, :, None], 20_000, axis=0)
    found = np.asarray(model.elbo_steps(copies, seed=0)).sum(axis=1)
    error = found.std() / np.sqrt(len(found))
    assert found.mean() == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize("inference", INFERENCE)
def test_terms_are_sums_of_steps(x, inference):
    model = model_of(inference)
    model.build(x.shape)
    with random.noise_scope(random.Noise(random.as_seed(2), len(x))):
        terms = model.compute_terms(tf.constant(x), None, training=False)
    steps = np.asarray(model.elbo_steps(x, seed=2))
    assert steps.shape == (4, 6)
    total = np.asarray(sum(terms.values()))
    np.testing.assert_allclose(-steps.sum(axis=1), total, rtol=1e-5)
    assert np.all(np.asarray(terms["kl_loss"]) >= 0.0)


@pytest.mark.parametrize("inference", INFERENCE)
def test_steps_behind_the_end_do_not_count(x, inference):
    model = model_of(inference)
    model.build(x.shape)
    mask = np.arange(6) < np.array([6, 4, 5, 3])[:, None]
    found = []
    for filler in (0.0, 1.0):
        padded = np.where(mask[..., None, None, None], x, filler)
        inputs = {"x": tf.constant(padded), "mask": tf.constant(mask)}
        with random.noise_scope(random.Noise(random.as_seed(2), len(x))):
            found.append(model.compute_terms(inputs, None, training=False))
    for name, values in found[0].items():
        np.testing.assert_array_equal(values, found[1][name])


@pytest.mark.parametrize("inference", INFERENCE)
def test_fit_rollout_and_file(x, inference, tmp_path):
    model = model_of(inference)
    model.compile("adam", jit_compile=False)
    model.fit(x, epochs=1, batch_size=2, verbose=0)
    frames = model.rollout(x[:, :3], 4, num_samples=2, seed=0)
    assert frames.shape == (4, 2, 4, 2, 2, 1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        frames, loaded.rollout(x[:, :3], 4, num_samples=2, seed=0)
    )


def test_filtering_sees_the_state_before(x):
    """Another first frame changes q of the second step through z_1 alone."""
    model = model_of("filtering")
    model.build(x.shape)
    beliefs = tf.zeros([2, 3, 6])
    beliefs = tf.tensor_scatter_nd_update(beliefs, [[1, 0]], tf.ones([1, 6]))
    states = np.asarray(model._infer(beliefs, None))
    assert not np.allclose(states[0, 1], states[1, 1])
    mean_field = model_of("mean_field")
    mean_field.build(x.shape)
    states = np.asarray(mean_field._infer(beliefs, None))
    np.testing.assert_array_equal(states[0, 1:], states[1, 1:])


def test_unknown_inference():
    with pytest.raises(ValueError, match="`inference` must be one of"):
        model_of("exact")


def test_short_series_of_the_data_sets(x):
    """A step of one number is an event too."""
    series, _ = datasets.switching_sine(3, length=5)
    model = SequentialVAE(
        keras.layers.GRU(4),
        networks.mlp_decoder(2, (1,), (3,), seed=0),
        [2],
        likelihood="normal",
        seed=0,
    )
    assert np.asarray(model.elbo_steps(series, seed=0)).shape == (3, 5)
