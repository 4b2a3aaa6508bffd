"""A diffusion model is a hierarchy whose inference chain is fixed."""

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae import likelihoods
from keras_vae.models.diffusion_process import DiffusionProcess
from tests.models.test_hierarchies import affine

BETAS = np.array([0.1, 0.2, 0.4, 0.6])
SIZE = 3
GAIN = 0.7  # x_hat = GAIN * x_t


class Denoiser(keras.layers.Layer):
    def call(self, inputs):
        return GAIN * inputs[0]


def by_hand():
    """The chain in its own units, [-1, 1]."""
    process = DiffusionProcess(BETAS, "beta", "beta")
    steps = np.arange(2, len(BETAS) + 1)
    to_x, to_x_t, _ = process.posterior(steps, steps - 1)
    return keras_vae.HierarchicalVAE(
        [affine(np.sqrt(1 - beta), beta, SIZE) for beta in BETAS],
        [
            affine(a * GAIN + b, process.variance[t], SIZE)
            for a, b, t in zip(to_x, to_x_t, steps)
        ],
        affine(GAIN, size=SIZE),
        [SIZE] * len(BETAS),
        likelihoods.Normal(np.sqrt(process.variance[1])),
        seed=0,
    )


def diffusion():
    return keras_vae.DiffusionModel(
        Denoiser(),
        BETAS,
        num_steps=len(BETAS),
        event_shape=(SIZE,),
        prediction="x",
        likelihood="normal",
        seed=0,
    )


@pytest.fixture(scope="module")
def bounds():
    """-ELBO of one example, many times: in closed form and by log-ratios."""
    x = np.float32([0.9, 0.2, 0.4])
    copies = np.tile(x, (20_000, 1))
    levels = diffusion().elbo_levels(copies, batch_size=20_000)
    analytic = (
        levels["prior_loss"]
        + levels["diffusion_loss"].sum(axis=1)
        + levels["reconstruction_loss"]
    )
    ratios = by_hand().elbo_levels(
        2.0 * copies - 1.0, batch_size=20_000, form="consistency"
    )
    # A density of data in [0, 1] is 2 ** SIZE times that in [-1, 1].
    consistency = sum(ratios.values()) - SIZE * np.log(2.0)
    return analytic.astype("float64"), consistency.astype("float64"), ratios


def test_both_forms_are_one_bound(bounds):
    """L_T + sum L_t + L_0 and the log-ratios of the chain: 3 errors."""
    analytic, consistency, _ = bounds
    error = np.sqrt((analytic.var() + consistency.var()) / len(analytic))
    print(
        f"closed forms {analytic.mean():.4f}, variance {analytic.var():.4f}; "
        f"log-ratios {consistency.mean():.4f}, "
        f"variance {consistency.var():.4f}"
    )
    assert abs(analytic.mean() - consistency.mean()) < 3 * error


def test_the_reconstruction_is_the_same_term(bounds):
    x = np.tile(np.float32([0.9, 0.2, 0.4]), (20_000, 1))
    levels = diffusion().elbo_levels(x, seed=5, batch_size=20_000)
    first = levels["reconstruction_loss"]
    *_, ratios = bounds
    other = ratios["reconstruction_loss"] - SIZE * np.log(2.0)
    error = np.sqrt((first.var() + other.var()) / len(first))
    assert abs(first.mean() - other.mean()) < 3 * error


def test_importance_weights_tighten_the_hand_written_chain():
    x = np.float32([[0.8, -0.6, -0.2]])
    model = by_hand()
    elbo = model.elbo(x, num_samples=5000)
    assert elbo < model.log_likelihood(x, num_samples=5000)
