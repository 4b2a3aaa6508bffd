"""Kingma, Welling, 2014, Auto-Encoding Variational Bayes.

    python -m recipes.vae_kingma2014

trains a small VAE on 8x8 handwritten digits, binarised anew in every epoch, in
about a minute on two cores. `--preset paper` is the network and optimizer of
the paper's appendix C, on MNIST; its prior over the weights, which is worth
hundredths of a nat, is left out. The paper prints curves and no table: its
numbers are read off figure 2, to a nat or two.
"""

import dataclasses
from typing import Literal

import keras
import numpy as np

import keras_vae
from keras_vae import metrics
from keras_vae import networks
from recipes import harness
from recipes import settings

# Figure 2, MNIST, right end: test -ELBO by number of latent units.
FIGURE_2 = {10: 105.0, 20: 101.0, 200: 100.0}

PRESETS = {
    "default": {},
    "paper": {
        "data": "mnist",
        "units": (500,),
        "activation": "tanh",
        "initial_stddev": 0.01,
        "latent_dim": 20,
        "optimizer": "adagrad",
        "learning_rate": 0.02,
        "decay": "constant",
        "batch_size": 100,
        "epochs": 200,
    },
}
SMOKE = {"epochs": 2, "nll_samples": 10}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        binarize: dynamic: training pixels are drawn anew in every epoch, the
            others once; static: all once; none: grey values, for which the
            Bernoulli likelihood is no likelihood and there is no NLL.
        latent_dim: Number of latent units.
        units: Widths of the encoder's hidden layers; the decoder has the
            same in reverse.
        activation: Of the hidden layers.
        initial_stddev: Of normal initial weights; default: Glorot's.
        optimizer: adam or adagrad.
        learning_rate: Of the first step.
        decay: cosine: the learning rate falls to 0 over the run.
        nll_samples: Importance samples for each test image.
    """

    preset: Literal["default", "paper"] = "default"
    epochs: int = 120
    batch_size: int = 50
    binarize: Literal["none", "static", "dynamic"] = "dynamic"
    latent_dim: int = 5
    units: tuple[int, ...] = (500, 500)
    activation: settings.Activation = "relu"
    initial_stddev: float | None = None
    optimizer: Literal["adam", "adagrad"] = "adam"
    learning_rate: float = 2e-3
    decay: Literal["constant", "cosine"] = "cosine"
    nll_samples: int = 5000


def build(config, data):
    """The model, not compiled."""
    initializer = "glorot_uniform"
    if config.initial_stddev is not None:
        initializer = keras.initializers.RandomNormal(
            stddev=config.initial_stddev
        )
    shared = {
        "activation": config.activation,
        "kernel_initializer": initializer,
    }
    return keras_vae.VAE(
        networks.mlp_encoder(data.event_shape, config.units, **shared),
        networks.mlp_decoder(
            config.latent_dim, data.event_shape, config.units[::-1], **shared
        ),
        latent_dim=config.latent_dim,
        seed=config.seed,
    )


def optimizer(config, data):
    """The optimizer and its schedule."""
    rate = config.learning_rate
    if config.decay == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            rate, config.epochs * data.steps_per_epoch
        )
    classes = {
        "adam": keras.optimizers.Adam,
        "adagrad": keras.optimizers.Adagrad,
    }
    return classes[config.optimizer](rate)


def evaluate(config, model, data):
    """Numbers of the test images, by name."""
    x = data.x_test
    logs = model.evaluate(x, batch_size=1000, verbose=0, return_dict=True)
    numbers = {
        "test_neg_elbo": logs["neg_elbo"],
        "test_kl_loss": logs["kl_loss"],
        "active_units": metrics.active_units(model, x).count,
    }
    if config.binarize != "none":
        bound = model.log_likelihood(x, config.nll_samples)
        numbers["test_nll"] = -float(np.mean(bound))
        numbers["nll_samples"] = config.nll_samples
    return numbers


def train(config):
    with harness.Run("vae_kingma2014", config) as run:
        binarize = None if config.binarize == "none" else config.binarize
        data = run.load(binarize)
        with run.strategy.scope():
            model = build(config, data)
            run.compile(model, optimizer(config, data), data)
        best = run.fit(model, data)
        if best is None:
            return
        run.draw(best, data)
        paper, note = {}, "The paper has no numbers for these data."
        if config.data == "mnist" and config.latent_dim in FIGURE_2:
            paper["test_neg_elbo"] = FIGURE_2[config.latent_dim]
            note = "The paper's number is read off its figure 2."
        run.finish(best, evaluate(config, best, data), paper, note)


def main(argv=None):
    harness.command_line("vae_kingma2014", train, Config, PRESETS, SMOKE, argv)


if __name__ == "__main__":
    main()
