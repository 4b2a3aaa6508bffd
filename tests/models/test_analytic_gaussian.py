"""Linear VAEs, of which everything is known in closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.evaluation import ProbabilisticPCA
from keras_vae.models import TermModel
from recipes import analytic_gaussian as recipe


@pytest.fixture(scope="module")
def pca(digits):
    return ProbabilisticPCA(10).fit(digits)


@pytest.fixture(scope="module")
def exact_model(pca):
    """A VAE with the parameters of greatest likelihood."""
    model = recipe.linear_vae(
        (8, 8, 1), 10, posterior="full_covariance_normal", seed=0
    )
    model.build((None, 8, 8, 1))
    recipe.set_exact(model, pca)
    return model


# === Exact parameters ===


def test_neg_elbo_of_a_thousand_passes(pca, digits):
    x = digits[::36]
    assert len(x) == 50
    neg_elbo, error = recipe.evaluate_exact(pca, x, passes=1000)
    # Fine enough to see an error of 0.05 nats.
    assert 3 * error < 0.05
    exact = -np.mean(pca.log_likelihood(x))
    assert abs(neg_elbo - exact) < 3 * error


def test_standard_error_of_a_pass(pca, exact_model, digits):
    x = digits[:20]
    draws = np.stack([exact_model.elbo(x, seed=s) for s in range(400)])
    variance = draws.var(axis=0).mean()
    assert variance == pytest.approx(
        recipe.one_pass_variance(pca, x).mean(), rel=0.1
    )


def test_importance_weights_are_constant(pca, exact_model, digits):
    x = digits[:100]
    exact = pca.log_likelihood(x)
    for num_samples in (1, 10):
        estimate = exact_model.log_likelihood(x, num_samples)
        np.testing.assert_allclose(estimate, exact, atol=1e-3)


def test_posterior_is_exact(pca, exact_model, digits):
    x = digits[:10]
    kernel, bias, covariance = pca.posterior()
    posterior = exact_model.posterior(x)
    mean = x.reshape(10, -1) @ kernel + bias
    np.testing.assert_allclose(posterior.mean(), mean, atol=1e-4)
    np.testing.assert_allclose(
        posterior.covariance(),
        np.broadcast_to(covariance, (10, 10, 10)),
        atol=1e-5,
    )


def test_any_other_posterior_is_worse_by_the_divergence(pca, digits):
    model = recipe.linear_vae(
        (8, 8, 1), 10, posterior="full_covariance_normal", seed=0
    )
    model.build((None, 8, 8, 1))
    recipe.set_exact(model, pca)
    exact = model.posterior(digits[:20])
    kernel, bias = model.posterior_layer.head.get_weights()
    rng = np.random.default_rng(0)
    model.posterior_layer.head.set_weights(
        [kernel, bias + 0.1 * rng.normal(size=bias.shape)]
    )
    other = model.posterior(digits[:20])
    gap = pca.log_likelihood(digits[:20]) - model.elbo(
        digits[:20], num_samples=20_000
    )
    divergence = other.kl_divergence(exact).numpy()
    assert divergence.min() > 0.1
    np.testing.assert_allclose(gap, divergence, atol=0.1)
    assert np.mean(gap) == pytest.approx(np.mean(divergence), abs=0.02)


# === Learnt parameters ===


@pytest.fixture
def xla(monkeypatch):
    """Thousands of tiny steps are worth compiling."""
    monkeypatch.setattr(
        TermModel, "_resolve_auto_jit_compile", lambda self: True
    )


@pytest.mark.parametrize(
    "posterior", ["full_covariance_normal", "diagonal_normal"]
)
def test_digits_reach_the_exact_likelihood(posterior, pca, digits, xla):
    batch_size, steps = 100, 1800
    model = recipe.linear_vae(
        (8, 8, 1), 10, posterior=posterior, num_samples=4, seed=0
    )
    rate = keras.optimizers.schedules.CosineDecay(0.02, steps)
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=100)
    shuffled = tf.data.Dataset.from_tensor_slices(digits).shuffle(
        len(digits), seed=0
    )
    batches = shuffled.repeat().batch(batch_size, drop_remainder=True)
    model.fit(batches.take(steps), verbose=0)
    exact = np.mean(pca.log_likelihood(digits))
    elbo = np.mean(model.elbo(digits, num_samples=100))
    assert exact - 0.5 < elbo < exact + 0.02


def test_line(xla):
    scale = 0.5 * recipe.STD
    learnt = recipe.learnt_line(recipe.train_line(scale, steps=3000))
    for name, value in recipe.exact_line(scale).items():
        assert learnt[name] == pytest.approx(value, rel=0.01), name


def test_line_without_noise_standardises(xla):
    scale = 0.05 * recipe.STD
    learnt = recipe.learnt_line(recipe.train_line(scale, steps=6000))
    for name, value in recipe.exact_line(scale).items():
        assert learnt[name] == pytest.approx(value, rel=0.01), name
    x = recipe.normal_data()
    z = (x - recipe.MEAN) / recipe.STD
    encoded = learnt["encoder_slope"] * x + learnt["encoder_bias"]
    assert np.sqrt(np.mean((encoded - z) ** 2)) < 0.02
    decoded = learnt["decoder_slope"] * z + learnt["decoder_bias"]
    assert np.sqrt(np.mean((decoded - x) ** 2)) < 0.02 * recipe.STD


# === What the line minimises ===


def test_exact_line_is_the_optimum():
    """No neighbour has a greater ELBO, here in closed form."""

    def elbo(line, scale):
        a, b = line["decoder_slope"], line["decoder_bias"]
        c, d = line["encoder_slope"], line["encoder_bias"]
        v = line["posterior_variance"]
        mean, variance = recipe.MEAN, recipe.STD**2
        residual = (mean - b - a * (c * mean + d)) ** 2
        residual += (1 - a * c) ** 2 * variance + a**2 * v
        log_likelihood = -0.5 * residual / scale**2 - np.log(scale)
        z_square = (c * mean + d) ** 2 + c**2 * variance
        kl = 0.5 * (z_square + v - 1 - np.log(v))
        return log_likelihood - 0.5 * np.log(2 * np.pi) - kl

    rng = np.random.default_rng(0)
    for scale in (1.0, 0.1):
        best = recipe.exact_line(scale)
        evidence = -0.5 * np.log(2 * np.pi * np.e * recipe.STD**2)
        assert elbo(best, scale) == pytest.approx(evidence, abs=1e-12)
        for _ in range(50):
            near = {k: v + 1e-3 * rng.normal() for k, v in best.items()}
            near["posterior_variance"] = abs(near["posterior_variance"])
            assert elbo(near, scale) < elbo(best, scale)


def test_aggregate_posterior_not_the_kl_term():
    """(x - mean) / std matches the prior on average, at a price in KL."""
    scale = 0.05 * recipe.STD
    line = recipe.exact_line(scale)
    model = recipe.linear_vae((1,), 1, scale, seed=0)
    model.build((None, 1))
    model.compile()
    x = recipe.normal_data()

    def kl(slope, bias, variance):
        model.posterior_layer.head.set_weights(
            [
                np.array([[slope, 0.0]]),
                np.array([bias, np.log(variance)]),
            ]
        )
        logs = model.evaluate(x, batch_size=256, verbose=0, return_dict=True)
        return logs["kl_loss"]

    at_optimum = kl(
        line["encoder_slope"],
        line["encoder_bias"],
        line["posterior_variance"],
    )
    posterior = model.posterior(x)
    means = posterior.mean().numpy()
    aggregate = np.var(means) + np.mean(posterior.variance())
    assert np.mean(means) == pytest.approx(0.0, abs=1e-5)
    assert aggregate == pytest.approx(1.0, abs=1e-5)
    # The price is the information that z holds on x.
    assert at_optimum == pytest.approx(np.log(recipe.STD / scale), abs=1e-4)
    assert kl(0.0, 0.0, 1.0) == pytest.approx(0.0, abs=1e-6)
    slopes = np.linspace(0.0, 0.5, 6)
    prices = [kl(slope, -slope * recipe.MEAN, 1.0) for slope in slopes]
    assert np.all(np.diff(prices) > 0)
