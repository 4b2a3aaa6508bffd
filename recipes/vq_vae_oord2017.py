"""van den Oord et al., 2017, Neural Discrete Representation Learning.

    python -m recipes.vq_vae_oord2017

trains a VQ-VAE on 8x8 handwritten digits, writes the codes of all images to
codes.npz, trains a PixelSNAIL on them and samples new digits, in a few minutes
on two cores. On MNIST, 7x7 codes of 128 with 16 dimensions each, and on colour
images of 32x32, 8x8 codes of 512 with 64:

    python -m recipes.vq_vae_oord2017 --preset mnist
    python -m recipes.vq_vae_oord2017 --preset cifar10

The likelihood is normal with the standard deviation of the training images, so
that the loss is P/2 times the usual sum of normalised squared error and
weighted commitment. A run that was stopped goes on with `--resume` at the stage
that is missing. What differs from the paper: moving averages in the place of
gradients for the codebook (its appendix A.1) and PixelSNAIL in the place of
PixelCNN.
"""

import dataclasses
from typing import Literal

import keras_vae
from keras_vae import likelihoods
from keras_vae import networks
from keras_vae import visualization
from recipes import codes
from recipes import harness
from recipes import optimizers

# keras.io's example after 30 epochs: error over variance of the training
# images, nats of each code under its PixelCNN.
KERAS_IO_NMSE, KERAS_IO_NATS = 0.0444, 1.034
# Sonnet's example after 10000 steps of batches of 32, all 50000 images.
SONNET_NMSE = 0.056

PRESETS = {
    "default": {},
    "mnist": {
        "data": "mnist",
        "validation_fraction": 0.05,
        "batch_size": 128,
        "epochs": 30,
        "filters": 64,
        "residual_layers": 1,
        "num_embeddings": 128,
        "embedding_dim": 16,
        "learning_rate": 2e-3,
        "prior_epochs": 15,
        "prior_filters": 32,
        "prior_blocks": 2,
    },
    "cifar10": {
        "data": "cifar10",
        "validation_fraction": 0.0,
        "batch_size": 32,
        "epochs": 40,
        "filters": 128,
        "residual_layers": 2,
        "num_embeddings": 512,
        "embedding_dim": 64,
        "learning_rate": 1e-3,
        "prior_epochs": 10,
        "prior_filters": 64,
        "prior_blocks": 2,
    },
}
SMOKE = {
    "epochs": 1,
    "filters": 8,
    "residual_layers": 1,
    "prior_epochs": 1,
    "prior_filters": 8,
    "prior_blocks": 1,
}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        epochs: Passes over the training images, of the VQ-VAE.
        filters: Of its convolutions; a quarter of them in residual layers.
        residual_layers: In encoder and decoder each.
        downsamplings: Convolutions that halve height and width.
        num_embeddings: Size of the codebook.
        embedding_dim: Size of one code.
        commitment: Its weight against the codebook's error, for means.
        learning_rate: Of the first step; it falls to 0.
        prior_epochs: Passes over the codes; 0: no prior.
        prior_filters: Of its convolutions.
        prior_blocks: Of residual layers and attention.
        prior_residual: Residual layers in each block.
        prior_heads: Of attention.
        prior_rate: Its first learning rate; it falls to 0.
    """

    preset: Literal["default", "mnist", "cifar10"] = "default"
    epochs: int = 60
    batch_size: int = 50
    filters: int = 32
    residual_layers: int = 1
    downsamplings: int = 2
    num_embeddings: int = 64
    embedding_dim: int = 8
    commitment: float = 0.25
    learning_rate: float = 2e-3
    prior_epochs: int = 40
    prior_filters: int = 32
    prior_blocks: int = 1
    prior_residual: int = 2
    prior_heads: int = 4
    prior_rate: float = 2e-3


def build(config, event_shape, std):
    """The VQ-VAE, not compiled."""
    encoder = networks.residual_encoder(
        event_shape,
        config.embedding_dim,
        filters=config.filters,
        residual_filters=config.filters // 4,
        num_residual_layers=config.residual_layers,
        num_downsamplings=config.downsamplings,
        seed=config.seed,
    )
    decoder = networks.residual_decoder(
        encoder.output_shape[1:],
        event_shape,
        filters=config.filters,
        residual_filters=config.filters // 4,
        num_residual_layers=config.residual_layers,
        num_upsamplings=config.downsamplings,
        seed=config.seed,
    )
    return keras_vae.VQVAE(
        encoder,
        decoder,
        config.num_embeddings,
        config.embedding_dim,
        likelihoods.Normal(std),
        commitment_weight=codes.commitment_weight(
            config.commitment, event_shape, encoder.output_shape[1:]
        ),
        seed=config.seed,
    )


def build_prior(config, shape):
    """The prior of the codes, not compiled."""
    return keras_vae.PixelSNAIL(
        shape,
        config.num_embeddings,
        num_heads=config.prior_heads,
        filters=config.prior_filters,
        num_blocks=config.prior_blocks,
        num_residual=config.prior_residual,
        seed=config.seed,
    )


# === Stages ===


def train_vq_vae(config, run, arrays, data):
    """The model of the last epoch."""
    with run.strategy.scope():
        model = build(config, data.event_shape, codes.training_std(arrays))
        adam = optimizers.adam(config.learning_rate, config.epochs, data)
        run.compile(model, adam, data)
    return run.fit(model, data, monitor=None, stage="vq_vae")


def train_prior(config, run, data):
    """The model of the best epoch."""
    with run.strategy.scope():
        prior = build_prior(config, data.event_shape)
        adam = optimizers.adam(config.prior_rate, config.prior_epochs, data)
        run.compile(prior, adam, data)
    return run.fit(prior, data, stage="prior", epochs=config.prior_epochs)


# === Results ===


def train(config):
    with harness.Run("vq_vae_oord2017", config) as run:
        arrays = run.arrays().as_float32()
        data = run.load()
        model = train_vq_vae(config, run, arrays, data)
        indices = codes.extract(run, model, arrays)
        prior = None
        if config.prior_epochs:
            prior_data = codes.prior_data(run, indices, 0)
            prior = train_prior(config, run, prior_data)
        if not run.chief:
            return
        x = data.examples(20)[0]
        run.save_figure(
            "reconstructions", visualization.plot_reconstructions(model, x)
        )
        for stage in run.histories:
            run.save_figure(f"loss_curves_{stage}", run.draw_history(stage))
        numbers = codes.quality(model, arrays, indices)
        numbers["uniform_rate_nats"] = sum(model.code_lengths())
        exported = model
        if prior is not None:
            exported, more = codes.with_priors(model, prior, arrays.x_test)
            numbers |= more
            run.save_figure(
                "samples", visualization.plot_samples(exported, seed=0)
            )
        paper = {}
        if config.data == "mnist":
            paper = {"test_nmse": KERAS_IO_NMSE, "nats_per_code": KERAS_IO_NATS}
        if config.preset == "cifar10":
            paper = {"test_nmse": SONNET_NMSE}
        run.finish(
            exported,
            numbers,
            paper,
            "Not the paper's numbers but those of the public examples: "
            "keras.io's on MNIST, Sonnet's on CIFAR-10. neg_elbo is of the "
            "density of pixels in [0, 1], codes included.",
        )


def main(argv=None):
    harness.command_line("vq_vae_oord2017", train, Config, PRESETS, SMOKE, argv)


if __name__ == "__main__":
    main()
