"""What recipes share that train an autoencoder with codes, then their prior."""

import dataclasses
import math

import keras_vae
from keras_vae import visualization
from recipes import codes
from recipes import harness
from recipes import optimizers
from recipes import settings

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
    """Settings of both stages.

    Args:
        epochs: Passes over the training images, of each autoencoder.
        filters: Of its convolutions; a quarter of them in residual layers.
        residual_layers: In each network.
        num_embeddings: Size of each codebook.
        embedding_dim: Size of one code.
        commitment: Its weight against the codebook's error, for means.
        learning_rate: Of the first step; it falls to 0.
        prior_epochs: Passes over the codes, of each prior; 0: no prior.
        prior_filters: Of its convolutions.
        prior_blocks: Of residual layers and attention.
        prior_residual: Residual layers in each block.
        prior_heads: Of attention.
        prior_rate: Its first learning rate; it falls to 0.
    """

    epochs: int = 60
    batch_size: int = 50
    filters: int = 32
    residual_layers: int = 1
    num_embeddings: int = 64
    embedding_dim: int = 8
    commitment: float = 0.25
    learning_rate: float = 2e-3
    prior_epochs: settings.MayBeZero = 40
    prior_filters: int = 32
    prior_blocks: int = 1
    prior_residual: int = 2
    prior_heads: int = 4
    prior_rate: float = 2e-3


# === Stages ===


def fit_autoencoder(config, run, data, make, stage):
    """The model that `make()` gives, after the last epoch."""
    with run.strategy.scope():
        model = make()
        adam = optimizers.adam(config.learning_rate, config.epochs, data)
        run.compile(model, adam, data)
    return run.fit(model, data, monitor=None, stage=stage)


def fit_prior(config, run, model, indices, stage, level=0, **kwargs):
    """The prior of a level's codes, after its best epoch.

    Args:
        config: `Config`.
        run: `harness.Run`.
        model: `keras_vae.VQVAE` or `VQVAE2`.
        indices: as `codes.extract` gives them.
        stage: str, its name.
        level: int, 0 for the bottom.
        **kwargs: of `keras_vae.PixelSNAIL`.
    """
    data = codes.prior_data(run, indices, level)
    with run.strategy.scope():
        prior = keras_vae.PixelSNAIL(
            model.code_shapes()[level],
            model.quantizers[level].num_embeddings,
            num_heads=config.prior_heads,
            filters=config.prior_filters,
            num_blocks=config.prior_blocks,
            num_residual=config.prior_residual,
            seed=config.seed,
            **kwargs,
        )
        adam = optimizers.adam(config.prior_rate, config.prior_epochs, data)
        run.compile(prior, adam, data)
    return run.fit(prior, data, stage=stage, epochs=config.prior_epochs)


# === Results ===


def report(run, model, priors, data, arrays, indices):
    """Saves the figures of a run; what to export, and numbers.

    Args:
        run: `harness.Run`.
        model: `keras_vae.VQVAE` or `VQVAE2`.
        priors: None, or as in `keras_vae.VQGenerator`.
        data: `harness.Data`.
        arrays: `datasets.Arrays`, float32.
        indices: as `codes.extract` gives them.

    Returns:
        (model, dict of name to number).
    """
    x = data.examples(20)[0]
    run.save_figure(
        "reconstructions", visualization.plot_reconstructions(model, x)
    )
    for stage in run.histories:
        run.save_figure(f"loss_curves_{stage}", run.draw_history(stage))
    numbers = codes.quality(model, arrays, indices)
    numbers["uniform_rate_nats"] = sum(model.code_lengths())
    if priors is None:
        return model, numbers
    generator, nats = _with_priors(model, priors, arrays.x_test)
    run.save_figure("samples", visualization.plot_samples(generator, seed=0))
    return generator, numbers | nats


def _with_priors(model, priors, x_test):
    """One model of both, and nats of test images and of their codes."""
    generator = keras_vae.VQGenerator(model, priors)
    generator.compile()
    logs = generator.evaluate(
        x_test, batch_size=500, verbose=0, return_dict=True
    )
    positions = sum(math.prod(shape) for shape in model.code_shapes())
    return generator, {
        "nats_per_code": logs["kl_loss"] / positions,
        "rate_nats": logs["kl_loss"],
        "neg_elbo": logs["neg_elbo"],
    }
