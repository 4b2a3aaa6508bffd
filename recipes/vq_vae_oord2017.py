"""van den Oord et al., 2017, Neural Discrete Representation Learning.

    python -m recipes.vq_vae_oord2017

trains a VQ-VAE on 8x8 handwritten digits, writes the codes of all images to
codes.npz, trains a PixelSNAIL on them and samples new digits, in a few minutes
on two cores. On MNIST, 7x7 codes of 128 with 16 dimensions each, and on
colour images of 32x32, 8x8 codes of 512 with 64:

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
from recipes import codes
from recipes import harness
from recipes import two_stages

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


@dataclasses.dataclass(frozen=True)
class Config(two_stages.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        downsamplings: Convolutions that halve height and width.
    """

    preset: Literal["default", "mnist", "cifar10"] = "default"
    downsamplings: int = 2


def build(config, arrays):
    """The VQ-VAE, not compiled."""
    event_shape = arrays.x_train.shape[1:]
    mean = codes.channel_means(arrays)
    encoder = networks.residual_encoder(
        event_shape,
        config.embedding_dim,
        filters=config.filters,
        residual_filters=config.filters // 4,
        num_residual_layers=config.residual_layers,
        num_downsamplings=config.downsamplings,
        input_mean=mean,
        seed=config.seed,
    )
    decoder = networks.residual_decoder(
        encoder.output_shape[1:],
        event_shape,
        filters=config.filters,
        residual_filters=config.filters // 4,
        num_residual_layers=config.residual_layers,
        num_upsamplings=config.downsamplings,
        output_bias=mean,
        seed=config.seed,
    )
    return keras_vae.VQVAE(
        encoder,
        decoder,
        config.num_embeddings,
        config.embedding_dim,
        likelihoods.Normal(codes.training_std(arrays)),
        commitment_weight=codes.commitment_weight(
            config.commitment, event_shape, encoder.output_shape[1:]
        ),
        seed=config.seed,
    )


def train(config):
    with harness.Run("vq_vae_oord2017", config) as run:
        arrays = run.arrays().as_float32()
        data = run.load()
        model = two_stages.fit_autoencoder(
            config, run, data, lambda: build(config, arrays), "vq_vae"
        )
        indices = codes.extract(run, model, arrays, ["prior"])
        prior = None
        if config.prior_epochs:
            prior = two_stages.fit_prior(config, run, model, indices, "prior")
        if not run.chief:
            return
        exported, numbers = two_stages.report(
            run, model, prior, data, arrays, indices
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
    harness.command_line(
        "vq_vae_oord2017", train, Config, PRESETS, two_stages.SMOKE, argv
    )


if __name__ == "__main__":
    main()
