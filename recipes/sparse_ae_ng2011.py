"""Ng, 2011, Sparse autoencoder (lecture notes and exercises of CS294A).

    python -m recipes.sparse_ae_ng2011

trains a sigmoid autoencoder whose units are active a tenth of the time, on 8x8
handwritten digits, in about a minute on two cores. On MNIST

    python -m recipes.sparse_ae_ng2011 --preset mnist

has 196 units, whose weights become pen strokes (figures/filters.png). The notes
show pictures and no numbers; what can be said is how far the mean activations
of the test images are from the target.

    J = 1/(2m) sum_i |h(x_i) - x_i|**2 + lambda/2 |W|**2
        + beta sum_j KL(rho || rho_hat_j)

is, but for a constant, the loss of `Normal(scale=1)` with beta and a penalty of
lambda/2 on the squared weights, not the biases. What differs: Adam and large
batches in the place of 400 iterations of L-BFGS on 10000 images, so rho_hat is
that of a batch, or of a running mean (--momentum).
"""

import dataclasses
import math
from typing import Literal

import keras
import numpy as np

import keras_vae
from keras_vae import evaluation
from keras_vae import likelihoods
from keras_vae import visualization
from recipes import harness
from recipes import optimizers

PRESETS = {
    "default": {},
    "mnist": {
        "data": "mnist",
        "units": 196,
        "batch_size": 1000,
        "momentum": None,
        "epochs": 200,
    },
    "paper": {
        "data": "mnist",
        "units": 196,
        "batch_size": 10000,
        "momentum": None,
        "epochs": 2000,
    },
}
SMOKE = {"epochs": 2, "units": 9}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        units: Of the hidden layer.
        rho: Target of the mean activation of each unit.
        beta: Weight of the sparsity.
        weight_decay: lambda above.
        momentum: Of the running mean of activations; None: each batch alone.
        learning_rate: Of the first step; it falls to 0.
        active: A unit is dead if no test image takes it above this.
    """

    preset: Literal["default", "mnist", "paper"] = "default"
    epochs: int = 500
    batch_size: int = 100
    units: int = 25
    rho: float = 0.1
    beta: float = 3.0
    weight_decay: float = 3e-3
    momentum: float | None = 0.9
    learning_rate: float = 3e-3
    active: float = 0.2


def build(config, event_shape):
    """The model, not compiled."""
    size = math.prod(event_shape)

    def dense(units):
        bound = math.sqrt(6.0 / (size + config.units + 1))
        return keras.layers.Dense(
            units,
            "sigmoid",
            kernel_initializer=keras.initializers.RandomUniform(-bound, bound),
            kernel_regularizer=keras.regularizers.L2(config.weight_decay / 2),
        )

    encoder = keras.Sequential(
        [keras.Input(event_shape), keras.layers.Flatten(), dense(config.units)],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((config.units,)),
            dense(size),
            keras.layers.Reshape(event_shape),
        ],
        name="decoder",
    )
    return keras_vae.SparseAutoencoder(
        encoder,
        decoder,
        likelihoods.Normal(scale=1.0),
        config.rho,
        config.beta,
        momentum=config.momentum,
        seed=config.seed,
    )


def evaluate(config, model, x):
    """Numbers of the test images, by name."""
    statistics = evaluation.sparsity_statistics(model, x, config.active)
    reconstructions = model.predict(x, batch_size=1000, verbose=0)
    return {
        "mean_activation": float(np.mean(statistics.mean_activation)),
        "mean_deviation_from_rho": statistics.mean_deviation(config.rho),
        "dead_units": statistics.dead_units,
        "active_fraction": statistics.active_fraction,
        "test_squared_error": evaluation.squared_error(x, reconstructions),
    }


def draw(config, run, model, data):
    """What the units look for, how active they are, and reconstructions."""
    run.draw(model, data)
    run.save_figure(
        "filters", visualization.plot_filters(model, num=config.units)
    )
    codes = evaluation.encode_in_batches(model, data.examples(5000)[0])
    run.save_figure(
        "activations", visualization.plot_activation_histograms(codes)
    )


def train(config):
    with harness.Run("sparse_ae_ng2011", config) as run:
        data = run.load()
        with run.strategy.scope():
            model = build(config, data.event_shape)
            adam = optimizers.adam(config.learning_rate, config.epochs, data)
            run.compile(model, adam, data)
        best = run.fit(model, data, "val_loss")
        if not run.chief:
            return
        draw(config, run, best, data)
        run.finish(
            best,
            evaluate(config, best, data.x_test),
            note="The notes have no numbers.",
        )


def main(argv=None):
    harness.command_line(
        "sparse_ae_ng2011", train, Config, PRESETS, SMOKE, argv
    )


if __name__ == "__main__":
    main()
