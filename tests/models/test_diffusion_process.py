"""The formulas in float64, against compositions, Bayes and closed forms."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_vae import random
from keras_vae import schedules
from keras_vae.models import diffusion_sampling
from keras_vae.models.diffusion_likelihood import discretized_normal_log_prob
from keras_vae.models.diffusion_likelihood import normal_log_prob
from keras_vae.models.diffusion_process import DiffusionProcess
from keras_vae.models.diffusion_times import draw_times

# Data of this variance have a bound in closed form.
VARIANCE = 0.25


def process(num_steps=1000, *args, noise="linear"):
    betas = schedules.get_noise(noise).betas(num_steps)
    return DiffusionProcess(betas, *args)


def posterior_of_data(chain):
    """Variances of x given x_t, for t = 0..T, data N(0, VARIANCE)."""
    variance = chain.sigma**2
    return VARIANCE * variance / (chain.alpha**2 * VARIANCE + variance)


def true_variances(chain):
    """Those of q(x_{t-1} | x_t), whatever x, for t = 1..T."""
    t = np.arange(1, chain.num_steps + 1)
    to_x, _, variance = chain.posterior(t, t - 1)
    return variance + to_x**2 * posterior_of_data(chain)[1:]


def gap(chain):
    """E[log p(x)] - ELBO per dimension, of the best possible network."""
    error = np.sqrt(posterior_of_data(chain))[:, np.newaxis]
    t = np.arange(1, chain.num_steps + 1)
    x = tf.constant([[math.sqrt(VARIANCE)]], "float64")
    steps = chain.step_nats("x", tf.constant(error[1:]), t)
    last = -normal_log_prob(np.zeros(1), error[1], math.sqrt(chain.variance[1]))
    bound = chain.prior_nats(x) + tf.reduce_sum(steps) + last
    return float(bound[0]) - 0.5 * math.log(2 * math.pi * math.e * VARIANCE)


# === Chain ===


def test_prior_term_of_the_paper():
    """7.3e-6 bits per dimension at E[x**2] = 0.25."""
    x = tf.fill([1, 12], tf.constant(0.5, "float64"))
    bits = float(process().prior_nats(x)[0]) / (12 * math.log(2))
    assert bits == pytest.approx(7.3e-6, rel=1e-2)
    variance = process().sigma[-1] ** 2
    mean = process().alpha[-1] * 0.5
    nats = 0.5 * (variance + mean**2 - 1 - math.log(variance))
    assert bits == pytest.approx(nats / math.log(2), rel=1e-4)


@pytest.mark.parametrize("noise", ["linear", "cosine"])
def test_one_step_after_another(noise):
    chain = process(20, noise=noise)
    mean, variance = 1.0, 0.0
    for t in range(1, 21):
        beta = chain.beta[t]
        mean, variance = (
            math.sqrt(1 - beta) * mean,
            (1 - beta) * variance + beta,
        )
        np.testing.assert_allclose(chain.alpha[t], mean, rtol=1e-12)
        np.testing.assert_allclose(chain.sigma[t] ** 2, variance, rtol=1e-12)
    x, drawn = tf.constant([[2.0]], "float64"), tf.constant([[3.0]], "float64")
    np.testing.assert_allclose(
        chain.diffuse(x, drawn, [20]), [[2 * mean + 3 * math.sqrt(variance)]]
    )


@pytest.mark.parametrize("before", [1, 4])
def test_posterior_is_that_of_bayes(before):
    """q(x_s | x_t, x) from q(x_t | x_s) q(x_s | x), also for skipped steps."""
    chain = process(20, noise="cosine")
    t = np.arange(before + 1, 20)
    s = t - before
    ratio = chain.alpha[t] / chain.alpha[s]
    noise = chain.sigma[t] ** 2 - ratio**2 * chain.sigma[s] ** 2
    precision = 1 / chain.sigma[s] ** 2 + ratio**2 / noise
    to_x, to_x_t, variance = chain.posterior(t, s)
    np.testing.assert_allclose(variance, 1 / precision, rtol=1e-9)
    np.testing.assert_allclose(
        to_x, chain.alpha[s] / chain.sigma[s] ** 2 / precision, rtol=1e-9
    )
    np.testing.assert_allclose(to_x_t, ratio / noise / precision, rtol=1e-9)


def test_variances_of_p():
    beta, posterior = process(50, "beta"), process(50, "posterior")
    np.testing.assert_array_equal(beta.variance[2:], beta.beta[2:])
    np.testing.assert_array_equal(
        posterior.variance[2:], posterior.posterior_variance[2:]
    )
    # As in the authors' program: the posterior of step 1 is a point.
    assert posterior.posterior_variance[1] == 0.0
    for chain in (beta, posterior):
        assert chain.variance[1] == chain.posterior_variance[2]
    assert process(50, "posterior", "beta").variance[1] == beta.beta[1]
    assert process(1).variance[1] == beta.beta[1]


# === Terms ===


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_kl_against_numpy_and_monte_carlo(variance):
    chain = process(10, variance, noise="cosine")
    rng = np.random.default_rng(0)
    x, x_hat, x_t = rng.normal(size=(3, 1, 2))
    for t in (2, 5, 10):
        to_x, to_x_t, v = (
            table.item() for table in chain.posterior([t], [t - 1])
        )
        p_variance = chain.variance[t]
        mean, p_mean = (to_x * a + to_x_t * x_t for a in (x, x_hat))
        expected = np.sum(
            0.5 * np.log(p_variance / v)
            + (v + (mean - p_mean) ** 2) / (2 * p_variance)
            - 0.5
        )
        found = float(chain.step_nats("x", tf.constant(x_hat - x), [t])[0])
        assert found == pytest.approx(expected, rel=1e-9)
        drawn = mean + math.sqrt(v) * rng.normal(size=(200_000, 2))
        ratio = np.sum(
            normal_log_prob(drawn, mean, math.sqrt(v))
            - normal_log_prob(drawn, p_mean, math.sqrt(p_variance)),
            axis=1,
        )
        error = 4 * np.std(ratio) / math.sqrt(len(ratio)) + 1e-9
        assert found == pytest.approx(np.mean(ratio), abs=error)


def test_the_first_step_has_no_kl():
    chain = process(10)
    assert float(chain.step_nats("x", tf.ones([1, 3]), [1])[0]) == 0.0


@pytest.mark.parametrize("kind", ["noise", "x", "v"])
def test_predictions_of_all_kinds_say_the_same(kind):
    chain = process(100)
    rng = np.random.default_rng(0)
    x, drawn, x_hat = (tf.constant(a) for a in rng.normal(size=(3, 4, 5)))
    t = np.array([1, 2, 50, 100])
    x_t = chain.diffuse(x, drawn, t)
    # The noise and the v that go with x_hat.
    alpha, sigma = (a[t][:, None] for a in (chain.alpha, chain.sigma))
    noise_hat = (x_t - alpha * x_hat) / sigma
    prediction = chain.target(kind, x_hat, noise_hat, t)
    np.testing.assert_allclose(
        chain.predicted_x(kind, prediction, x_t, t), x_hat, rtol=1e-7
    )
    error = prediction - chain.target(kind, x, drawn, t)
    np.testing.assert_allclose(
        chain.at(chain.error_scale(kind), t, x) * error,
        x_hat - x,
        rtol=1e-7,
    )
    np.testing.assert_allclose(
        chain.step_nats(kind, error, t),
        chain.step_nats("x", x_hat - x, t),
        rtol=1e-7,
    )
    np.testing.assert_allclose(
        chain.noise_error(kind, error, t),
        np.sum((noise_hat - drawn) ** 2, axis=1),
        rtol=1e-7,
    )


@pytest.mark.parametrize("noise", ["linear", "cosine"])
def test_single_precision_keeps_small_errors(noise):
    """An error a million times smaller than the data, at every level."""
    chain = process(1000, noise=noise)
    t = np.arange(2, 1001)
    error = np.full([999, 3], 1e-6)
    for kind in ("noise", "x", "v"):
        found = chain.step_nats(kind, tf.constant(error, "float32"), t)
        np.testing.assert_allclose(
            found, chain.step_nats(kind, tf.constant(error), t), rtol=1e-4
        )


def test_bound_of_gaussian_data_is_almost_tight():
    betas = process().beta[1:]
    assert 0 < gap(process(1000, betas)) < 0.006
    assert 0 < gap(process(1000, "beta", "beta")) < 0.006
    assert abs(gap(process(1000, true_variances(process())))) < 1e-6
    # The true reverse steps are normal, however long they are.
    few = process(10, noise="cosine")
    best = process(10, true_variances(few), noise="cosine")
    assert abs(gap(best)) < 1e-6
    assert gap(process(10, "beta", "beta", noise="cosine")) > 0.05


# === The data themselves ===


@pytest.mark.parametrize("num_levels", [2, 17, 256])
@pytest.mark.parametrize("scale", [1e-3, 0.01, 0.3, 5.0])
def test_bins_sum_to_one(num_levels, scale):
    x = tf.constant(np.linspace(-1, 1, num_levels))
    for mean in (-3.0, -1.0, 0.1234, 0.999, 1.0):
        log_prob = discretized_normal_log_prob(
            x, tf.constant(mean, "float64"), scale, num_levels
        )
        assert float(tf.reduce_logsumexp(log_prob)) == pytest.approx(
            0.0, abs=1e-5
        )


def test_bins_against_numpy():
    rng = np.random.default_rng(0)
    x = np.round(rng.uniform(size=200) * 255) / 255 * 2 - 1
    mean = x + 0.02 * rng.normal(size=200)
    scale = 0.01

    def cdf(value):
        return 0.5 * math.erfc(-value / scale / math.sqrt(2))

    upper = [cdf(c + 1 / 255) for c in x - mean]
    lower = [cdf(c - 1 / 255) for c in x - mean]
    probability = np.where(x > 0.999, 1, upper) - np.where(x < -0.999, 0, lower)
    for dtype, rtol in (("float64", 1e-6), ("float32", 1e-3)):
        found = discretized_normal_log_prob(
            tf.constant(x, dtype), tf.constant(mean, dtype), scale, 256
        )
        keep = probability > 1e-9
        np.testing.assert_allclose(
            found.numpy()[keep], np.log(probability[keep]), rtol, atol=1e-4
        )


def test_narrow_bins_are_a_density_times_a_width():
    x = tf.constant([0.0, 2 / 255], "float32")
    wide = discretized_normal_log_prob(x, x + 0.5, 1.0, 256)
    np.testing.assert_allclose(
        wide,
        normal_log_prob(np.zeros(2), 0.5, 1.0) + math.log(2 / 255),
        rtol=1e-5,
    )


def test_extreme_means_are_finite():
    x = tf.constant([-1.0, 0.0, 1.0] * 3)
    mean = tf.Variable([0.0] * 3 + [1e6] * 3 + [-1e6] * 3)
    with tf.GradientTape() as tape:
        log_prob = discretized_normal_log_prob(x, mean, 1e-3, 3)
    assert np.all(np.isfinite(log_prob))
    assert np.all(np.isfinite(tape.gradient(log_prob, mean)))


# === Levels of a batch ===


def times(rows, first, last, low_discrepancy, seed=0):
    noise = random.Noise(random.as_seed(seed))
    rows = tf.constant(rows)
    return draw_times(noise, rows, first, last, low_discrepancy).numpy()


def test_times_are_stratified():
    for seed in range(20):
        # As many as levels: each of them once.
        t = times(10, 1, 10, True, seed)
        assert sorted(t) == list(range(1, 11))
        counts = np.bincount(times(100, 2, 5, True, seed), minlength=6)
        assert counts[:2].sum() == 0 and np.all(counts[2:] == 25)


@pytest.mark.parametrize("low_discrepancy", [True, False])
def test_times_are_uniform_for_each_example(low_discrepancy):
    t = np.stack([times(3, 1, 4, low_discrepancy, s) for s in range(400)])
    for column in t.T:
        counts = np.bincount(column, minlength=5)[1:]
        # Five standard deviations.
        np.testing.assert_allclose(counts, 100, atol=45)


# === Transitions ===


def test_levels_that_are_visited():
    np.testing.assert_array_equal(diffusion_sampling.levels(5), [5, 4, 3, 2, 1])
    np.testing.assert_array_equal(
        diffusion_sampling.levels(1000, 4), [1000, 667, 334, 1]
    )
    np.testing.assert_array_equal(diffusion_sampling.levels(10, 1), [10])
    for steps in range(1, 51):
        visited = diffusion_sampling.levels(50, steps)
        assert len(set(visited)) == steps


@pytest.mark.parametrize("num_steps", [20, 5, 1])
def test_ddim_with_eta_one_is_ancestral(num_steps):
    chain = process(20, noise="cosine")
    visited = diffusion_sampling.levels(20, num_steps)
    ddim = diffusion_sampling.transitions(chain, visited, "ddim", 1.0)
    ancestral = diffusion_sampling.transitions(
        chain, visited, variance="posterior"
    )
    np.testing.assert_allclose(ddim, ancestral, atol=1e-12)
    np.testing.assert_allclose(ancestral[-1], [1.0, 0.0, 0.0], atol=1e-12)


def test_all_levels_have_the_chain_s_variances():
    chain = process(20)
    visited = diffusion_sampling.levels(20)
    for name in ("beta", "posterior"):
        table = diffusion_sampling.transitions(chain, visited, variance=name)
        expected = process(20, name).variance[visited]
        np.testing.assert_allclose(table[:-1, 2] ** 2, expected[:-1])


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_ddim_keeps_the_marginals(eta):
    """Given the data, x_s has mean a_s x and variance sigma_s**2."""
    chain = process(30, noise="cosine")
    visited = diffusion_sampling.levels(30, 7)
    table = diffusion_sampling.transitions(chain, visited, "ddim", eta)
    for t, s, (to_x, to_x_t, noise) in zip(visited, [*visited[1:], 0], table):
        np.testing.assert_allclose(
            to_x + to_x_t * chain.alpha[t], chain.alpha[s], rtol=1e-9
        )
        np.testing.assert_allclose(
            to_x_t**2 * chain.sigma[t] ** 2 + noise**2,
            chain.sigma[s] ** 2,
            atol=1e-12,
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "euler"}, "`method`.*method='euler'"),
        ({"method": "ddim", "eta": 1.5}, "`eta`.*eta=1.5"),
        ({"method": "ddim", "eta": math.nan}, "`eta`.*eta=nan"),
        ({"eta": 0.5}, "`eta`.*eta=0.5, method='ancestral'"),
    ],
)
def test_bad_transitions(arguments, message):
    with pytest.raises(ValueError, match=message):
        diffusion_sampling.transitions(process(5), np.array([5]), **arguments)


@pytest.mark.parametrize("num_steps", [0, -1, 11, 2.0])
def test_bad_numbers_of_steps(num_steps):
    with pytest.raises(ValueError, match=f"Received: num_steps={num_steps}"):
        diffusion_sampling.levels(10, num_steps)
