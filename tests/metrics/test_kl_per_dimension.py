"""The units' KL against the model's own term and against Monte Carlo."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import keras_vae
from keras_vae.metrics import kl_per_dimension

tfd = tfp.distributions


def tiny_vae(**kwargs):
    encoder = keras_vae.networks.mlp_encoder((8, 8, 1), (16,), seed=1)
    decoder = keras_vae.networks.mlp_decoder(3, (8, 8, 1), (16,), seed=2)
    return keras_vae.VAE(encoder, decoder, latent_dim=3, seed=0, **kwargs)


def test_units_sum_to_the_kl_of_a_diagonal_posterior(digits):
    model = tiny_vae()
    kl = kl_per_dimension(model, digits[:100], batch_size=33)
    total = tfd.kl_divergence(
        model.posterior(digits[:100]), model.prior_distribution()
    )
    np.testing.assert_allclose(kl.sum(), np.mean(total), rtol=1e-5)


def test_marginals_of_a_full_covariance(digits):
    model = tiny_vae(posterior="full_covariance_normal")
    posterior = model.posterior(digits[:4])
    z = posterior.sample(200_000, seed=3)
    mean, stddev = np.mean(z, axis=0), np.std(z, axis=0)
    expected = 0.5 * (stddev**2 + mean**2 - 1) - np.log(stddev)
    np.testing.assert_allclose(
        kl_per_dimension(model, digits[:4]),
        expected.mean(axis=0),
        atol=0.01,
    )


def test_a_shifted_and_scaled_prior():
    class Model:
        def posterior(self, x):
            return tfd.MultivariateNormalDiag([[1.0]], [[2.0]])

        def prior_distribution(self):
            return tfd.MultivariateNormalDiag([3.0], [0.5])

    expected = np.log(0.5 / 2.0) + (2.0**2 + (1.0 - 3.0) ** 2) / 0.5 - 0.5
    np.testing.assert_allclose(
        kl_per_dimension(Model(), np.zeros(1)), [expected], rtol=1e-6
    )


def test_extreme_posteriors_stay_finite():
    class Model:
        def posterior(self, x):
            mean = tf.constant([[1e10, -1e10]])
            return tfd.Independent(tfd.Normal(mean, [[1e-15, 1e15]]), 1)

        def prior_distribution(self):
            return tfd.Independent(tfd.Normal([0.0, 0.0], [1.0, 1.0]), 1)

    assert np.isfinite(kl_per_dimension(Model(), np.zeros(1))).all()


def test_a_mixture_prior_is_refused(digits):
    model = tiny_vae(prior=keras_vae.priors.MixturePrior(2))
    model.build((None, 8, 8, 1))
    with pytest.raises(ValueError, match="normal prior"):
        kl_per_dimension(model, digits[:4])


def test_after_mixed_precision_the_result_is_float64(digits):
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(8, dtype="mixed_bfloat16"),
        ]
    )
    decoder = keras_vae.networks.mlp_decoder(3, (8, 8, 1), (16,), seed=2)
    model = keras_vae.VAE(encoder, decoder, latent_dim=3, seed=0)
    kl = kl_per_dimension(model, digits[:10])
    assert kl.dtype == np.float64
    assert np.isfinite(kl).all()
