"""Where two models meet, they are equal."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import likelihoods
from keras_vae import priors
from keras_vae import random
from keras_vae import schedules

EVENT = (4, 4, 1)


@pytest.fixture
def x(binary_digits):
    return binary_digits[:12, 2:6, 2:6]


def vae(**kwargs):
    """The same initial weights at each call."""
    keras.utils.set_random_seed(1)
    encoder = keras_vae.networks.mlp_encoder(EVENT, units=(7,))
    decoder = keras_vae.networks.mlp_decoder(3, EVENT, units=(7,))
    model = keras_vae.VAE(encoder, decoder, 3, seed=5, **kwargs)
    model.build((None, *EVENT))
    return model


def fit(model, x):
    """The losses of three steps."""
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9))
    history = model.fit(x, batch_size=4, shuffle=False, verbose=0).history
    assert int(model.step) == 3
    return history


def assert_equal_weights(one, two, **tolerance):
    tolerance = {"rtol": 1e-5, "atol": 1e-6} | tolerance
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


def terms(model, x):
    with random.noise_scope(random.Noise(random.as_seed(0))):
        return model.compute_terms(tf.constant(x), None, training=True)


def test_iwae_of_one_sample_is_the_elbo(x):
    # This prior's KL is estimated from the same sample as the bound.
    elbo = vae(prior=priors.MixturePrior(2))
    iwae = vae(prior=priors.MixturePrior(2), objective="iwae")
    elbo_losses, iwae_losses = fit(elbo, x), fit(iwae, x)
    for name in ("loss", "neg_elbo", "kl_loss"):
        np.testing.assert_allclose(
            iwae_losses[name], elbo_losses[name], rtol=1e-5
        )
    assert_equal_weights(iwae, elbo)


def test_iwae_of_one_sample_differs_from_the_closed_form_by_noise_only(x):
    model = vae(objective="iwae")
    differences = []
    for seed in range(200):
        with random.noise_scope(random.Noise(random.as_seed(seed))):
            values = model.compute_terms(tf.constant(x), None, training=False)
        bound = values["reconstruction_loss"] + values["kl_loss"]
        differences.append(np.mean(values["neg_iw_bound"] - bound))
    error = np.std(differences) / np.sqrt(len(differences))
    assert abs(np.mean(differences)) < 4 * error < 0.2


def test_equal_samples_add_nothing_to_iwae(x):
    """Without variance all K weights are one."""
    models = [vae(objective="iwae", num_samples=k) for k in (1, 4)]
    for model in models:
        kernel, bias = model.posterior_layer.get_weights()
        # z_mean at the prior's, z_log_var at the lower bound.
        kernel[:] = 0.0
        bias[:] = [0, 0, 0, -30, -30, -30]
        model.posterior_layer.set_weights([kernel, bias])
    one, four = (terms(model, x)["reconstruction_loss"] for model in models)
    np.testing.assert_allclose(one, four, rtol=1e-5)


def test_no_variance_and_no_kl_is_an_autoencoder(x):
    model = vae(beta=0.0)
    kernel, bias = model.posterior_layer.get_weights()
    kernel[:, 3:], bias[3:] = 0.0, -30.0
    model.posterior_layer.set_weights([kernel, bias])

    keras.utils.set_random_seed(1)
    code = keras.layers.Dense(3)
    encoder = keras.Sequential(
        [keras_vae.networks.mlp_encoder(EVENT, units=(7,)), code]
    )
    decoder = keras_vae.networks.mlp_decoder(3, EVENT, units=(7,))
    autoencoder = keras_vae.Autoencoder(encoder, decoder, "bernoulli", seed=5)
    autoencoder.build((None, *EVENT))
    code.set_weights([kernel[:, :3], bias[:3]])
    encoder.layers[0].set_weights(model.encoder.get_weights())
    decoder.set_weights(model.decoder.get_weights())

    np.testing.assert_allclose(
        fit(model, x)["loss"], fit(autoencoder, x)["loss"], rtol=1e-5
    )
    assert_equal_weights(model.decoder, decoder, atol=1e-5)
    np.testing.assert_allclose(
        model.encode(x), autoencoder.encode(x), rtol=1e-4, atol=1e-5
    )


def test_a_constant_schedule_is_a_number(x):
    number = vae(beta=0.3)
    schedule = vae(beta=schedules.LinearWarmUp(10, start=0.3, end=0.3))
    np.testing.assert_allclose(fit(number, x)["loss"], fit(schedule, x)["loss"])
    assert_equal_weights(number, schedule)


def test_independent_units_are_a_diagonal_covariance(x):
    diagonal, full = vae(), vae(posterior="full_covariance_normal")
    full.encoder.set_weights(diagonal.encoder.get_weights())
    full.decoder.set_weights(diagonal.decoder.get_weights())
    kernel, bias = diagonal.posterior_layer.get_weights()
    # Which of the six numbers is which entry of the triangle.
    places = full.posterior_layer.to_distribution(
        tf.constant([[0.0] * 3 + [float(n) for n in range(6)]])
    ).scale_tril[0]
    places = np.round(np.log(np.diagonal(places))).astype(int) + 3
    full_kernel, full_bias = np.zeros((7, 9)), np.zeros(9)
    full_kernel[:, :3], full_bias[:3] = kernel[:, :3], bias[:3]
    full_kernel[:, places] = kernel[:, 3:] / 2
    full_bias[places] = bias[3:] / 2
    full.posterior_layer.set_weights([full_kernel, full_bias])
    one, two = terms(diagonal, x), terms(full, x)
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-4, atol=1e-5)


def test_squared_error_is_a_normal_of_variance_one_half(x):
    squares = vae(likelihood="squared_error")
    normal = vae(likelihood=likelihoods.Normal(np.sqrt(0.5).item()))
    losses = [np.array(fit(model, x)["loss"]) for model in (squares, normal)]
    np.testing.assert_allclose(
        losses[0] + 8 * np.log(np.pi), losses[1], rtol=1e-5
    )
    assert_equal_weights(squares, normal, rtol=1e-4)


def test_two_levels_are_a_bernoulli(x):
    categorical = likelihoods.Categorical(2)
    bernoulli = likelihoods.Bernoulli()
    for likelihood in (categorical, bernoulli):
        likelihood.build((None, *likelihood.params_shape(EVENT)))
    logits = np.random.default_rng(0).normal(0, 2, x.shape)
    both = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    np.testing.assert_allclose(
        categorical.log_prob(both, x),
        bernoulli.log_prob(logits, x),
        rtol=1e-5,
    )


def test_a_vamp_prior_at_the_example_has_no_kl(x):
    model = vae(prior=priors.VampPrior(1, activation="linear"))
    model.prior.pseudo_weights.assign(x[:1])
    np.testing.assert_allclose(terms(model, x[:1])["kl_loss"], 0, atol=1e-5)
    assert np.all(np.abs(terms(model, x[1:])["kl_loss"]) > 1e-5)


def test_prior_as_posterior_has_no_kl_and_a_tight_bound(x):
    model = vae()
    for weight in model.posterior_layer.weights:
        weight.assign(tf.zeros_like(weight))
    for weight in model.decoder.weights:
        weight.assign(tf.zeros_like(weight))
    np.testing.assert_allclose(terms(model, x)["kl_loss"], 0, atol=1e-6)
    exact = -16 * np.log(2)
    np.testing.assert_allclose(model.elbo(x), exact, rtol=1e-5)
    np.testing.assert_allclose(
        model.log_likelihood(x, num_samples=3), exact, rtol=1e-5
    )
