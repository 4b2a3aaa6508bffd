"""Hinton, Salakhutdinov, 2006, Reducing the Dimensionality of Data.

    python -m recipes.ae_hinton2006

trains a deep autoencoder on 8x8 handwritten digits in about a minute and
compares it with three linear codes of equal size. On MNIST, with the paper's
network 784-1000-500-250-30 and its mirror image:

    python -m recipes.ae_hinton2006 --preset mnist

Reported is the squared error of an image, summed over its pixels, the mean of
the test images. The paper has 3.00, 8.01 for logistic PCA and 13.87 for PCA.

What differs from the paper: it trained a restricted Boltzmann machine for each
layer of sigmoid units, then fine-tuned all by conjugate gradients. Here all is
trained end to end by Adam, from random weights, on MNIST with some noise on the
input, without which it overfits. `--preset paper` has its
sigmoid units and cross-entropy, which hardly train like that.

Logistic PCA appears twice, as the paper does not say how its codes were found:
with the best code for each image, by an optimisation at test time, and with a
linear encoder, that is, as an autoencoder without hidden layers.
"""

import dataclasses
from typing import Literal

import keras
import numpy as np

import keras_vae
from keras_vae import evaluation
from keras_vae import layers
from keras_vae import networks
from keras_vae import visualization
from recipes import harness
from recipes import optimizers
from recipes import settings

# Figure 2B, MNIST, 30 numbers for an image.
PAPER = {
    "deep_squared_error": 3.00,
    "logistic_pca_squared_error": 8.01,
    "pca_squared_error": 13.87,
}

_MNIST = {
    "data": "mnist",
    "validation_fraction": 0.02,
    "units": (1000, 500, 250),
    "code_dim": 30,
    "logistic_pca": 10000,
}
PRESETS = {
    "default": {},
    "mnist": {
        **_MNIST,
        "batch_size": 256,
        "epochs": 110,
        "linear_epochs": 20,
        "input_noise": 0.15,
    },
    "paper": {
        **_MNIST,
        "activation": "sigmoid",
        "loss": "bernoulli",
        "batch_size": 1000,
        "epochs": 200,
        "linear_epochs": 50,
    },
}
SMOKE = {
    "epochs": 2,
    "units": (32, 16),
    "linear_epochs": 1,
    "logistic_pca": 100,
    "logistic_pca_iterations": 3,
}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        units: Widths of the encoder's hidden layers; the decoder has the
            same in reverse.
        code_dim: Size of the code, which is linear.
        activation: Of the hidden layers.
        loss: squared_error: what is reported; bernoulli: the cross-entropy
            of grey pixels, the paper's choice for training.
        learning_rate: Of the first step; it falls to 0 along a cosine.
        input_noise: Standard deviation of normal noise on the pixels that the
            deep one sees in training; 0: none, as in the paper.
        linear_epochs: Passes for the autoencoder with a linear encoder.
        linear_rate: Its first learning rate.
        logistic_pca: Training images for logistic PCA; 0: none.
        logistic_pca_iterations: Of its alternating fits, at most.
    """

    preset: Literal["default", "mnist", "paper"] = "default"
    epochs: int = 200
    batch_size: int = 50
    units: tuple[int, ...] = (200, 100, 50)
    code_dim: int = 8
    activation: settings.Activation = "gelu"
    loss: Literal["bernoulli", "squared_error"] = "squared_error"
    learning_rate: float = 1e-3
    input_noise: float = 0.0
    linear_epochs: int = 60
    linear_rate: float = 3e-3
    logistic_pca: settings.MayBeZero = 1000
    logistic_pca_iterations: int = 100


# === Models ===


def build(config, data):
    """The deep autoencoder, not compiled."""
    features = networks.mlp_encoder(
        data.event_shape, config.units, config.activation
    )
    code = keras.layers.Dense(config.code_dim, name="code")(features.output)
    logits = networks.mlp_decoder(
        config.code_dim,
        data.event_shape,
        config.units[::-1],
        config.activation,
    )
    encoder = keras.Model(features.input, code, name="encoder")
    return autoencoder(config, encoder, logits, config.input_noise)


def build_linear(config, data):
    """Logistic PCA with a linear encoder, not compiled."""
    encoder = networks.mlp_encoder(data.event_shape, (config.code_dim,), None)
    logits = keras.Sequential(
        [
            keras.Input((config.code_dim,)),
            keras.layers.Dense(int(np.prod(data.event_shape))),
            keras.layers.Reshape(data.event_shape),
        ],
        name="decoder",
    )
    return autoencoder(config, encoder, logits)


def autoencoder(config, encoder, decoder, noise=0.0):
    """From a decoder to logits; reconstructions are in [0, 1]."""
    if config.loss == "squared_error":
        (logits,) = decoder.outputs
        pixels = keras.layers.Activation("sigmoid")(logits)
        decoder = keras.Model(decoder.inputs, pixels, name="decoder")
    if noise:
        return keras_vae.DenoisingAutoencoder(
            encoder,
            decoder,
            config.loss,
            corruption=layers.AdditiveGaussianNoise(noise),
            seed=config.seed,
        )
    return keras_vae.Autoencoder(
        encoder, decoder, config.loss, seed=config.seed
    )


# === Results ===


def reconstruct(config, run, data, models):
    """Reconstructions of the test images, by who made them."""
    x_train = run.arrays().as_float32().x_train
    reconstructions = {
        name: model.predict(data.x_test, batch_size=1000, verbose=0)
        for name, model in models.items()
    }
    if config.logistic_pca:
        pca = evaluation.LogisticPCA(
            config.code_dim, config.logistic_pca_iterations, verbose=1
        )
        pca.fit(x_train[: config.logistic_pca])
        reconstructions["logistic_pca"] = pca.reconstruct(data.x_test)
    reconstructions["pca"] = evaluation.pca_reconstructions(
        x_train, data.x_test, config.code_dim
    )
    return reconstructions


def draw(run, model, data, reconstructions):
    """Reconstructions of all; code and training of the deep one."""
    run.draw(model, data)
    chosen = np.random.default_rng(0).permutation(len(data.x_test))[:12]
    rows = {"test": data.x_test, **reconstructions}
    rows = {name.replace("_", "\n"): x[chosen] for name, x in rows.items()}
    run.save_figure("compared", visualization.plot_rows(rows))


def train(config):
    with harness.Run("ae_hinton2006", config) as run:
        data = run.load()
        monitor = "val_reconstruction_loss"
        linear_epochs = config.linear_epochs
        with run.strategy.scope():
            linear = build_linear(config, data)
            adam = optimizers.adam(config.linear_rate, linear_epochs, data)
            run.compile(linear, adam, data)
        linear = run.fit(
            linear, data, monitor, stage="linear", epochs=linear_epochs
        )
        with run.strategy.scope():
            model = build(config, data)
            adam = optimizers.adam(config.learning_rate, config.epochs, data)
            run.compile(model, adam, data)
        best = run.fit(model, data, monitor)
        if not run.chief:
            return
        models = {"deep": best, "linear_encoder": linear}
        reconstructions = reconstruct(config, run, data, models)
        numbers = {
            f"{name}_squared_error": evaluation.squared_error(data.x_test, x)
            for name, x in reconstructions.items()
        }
        draw(run, best, data, reconstructions)
        paper, note = {}, "The paper has no numbers for these data."
        if (config.data, config.code_dim) == ("mnist", 30):
            paper = PAPER
            note = (
                "The paper does not say how it found the codes of logistic "
                "PCA; here they are the best ones for each image."
            )
        run.finish(best, numbers, paper, note)


def main(argv=None):
    harness.command_line("ae_hinton2006", train, Config, PRESETS, SMOKE, argv)


if __name__ == "__main__":
    main()
