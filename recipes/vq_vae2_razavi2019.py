"""Razavi et al., 2019, Generating Diverse High-Fidelity Images with VQ-VAE-2.

    python -m recipes.vq_vae2_razavi2019

trains a VQ-VAE with codes at two resolutions on 8x8 handwritten digits, a
PixelSNAIL for the top codes and one for the bottom codes given those of the
top, and samples new digits, in a few minutes on two cores. On colour images,

    python -m recipes.vq_vae2_razavi2019 --preset cifar10

the codes are 8x8 and 4x4 of 147 each, 576 bits, and `--compare` trains one
level of 8x8 codes of 512, 576 bits too, with as many parameters and steps. A
run that was stopped goes on with `--resume` at the stage that is missing.

What differs from the paper: images of 32x32 where it has 256x256, and a
PixelSNAIL without attention for the bottom codes in the place of a residual
network of its own.
"""

import dataclasses
import math
from typing import Literal

import keras_vae
from keras_vae import likelihoods
from keras_vae import networks
from keras_vae import visualization
from recipes import codes
from recipes import harness
from recipes import optimizers

PRESETS = {
    "default": {},
    "cifar10": {
        "data": "cifar10",
        "validation_fraction": 0.0,
        "batch_size": 32,
        "epochs": 40,
        "filters": 128,
        "residual_layers": 2,
        "first_downsamplings": 2,
        "num_embeddings": 147,
        "embedding_dim": 64,
        "learning_rate": 1e-3,
        "prior_epochs": 10,
        "prior_filters": 64,
        "prior_blocks": 2,
        "compare_embeddings": 512,
    },
}
SMOKE = {
    "epochs": 1,
    "filters": 8,
    "prior_epochs": 1,
    "prior_filters": 8,
    "prior_blocks": 1,
}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        epochs: Passes over the training images, of each VQ-VAE.
        levels: Of codes; 2 in the paper, 3 for its largest images.
        filters: Of convolutions; a quarter of them in residual layers.
        residual_layers: In each network.
        first_downsamplings: Convolutions that halve height and width below
            the bottom codes; each level above halves them once more.
        num_embeddings: Size of each codebook.
        embedding_dim: Size of one code.
        commitment: Its weight against the codebook's error, for means.
        learning_rate: Of the first step; it falls to 0.
        prior_epochs: Passes over the codes, of each prior; 0: no priors.
        prior_filters: Of their convolutions.
        prior_blocks: Of residual layers, with attention at the top.
        prior_residual: Residual layers in each block.
        prior_heads: Of attention.
        prior_rate: Their first learning rate; it falls to 0.
        compare: Train one level of codes as well, with as many parameters.
        compare_embeddings: Size of its codebook.
    """

    preset: Literal["default", "cifar10"] = "default"
    epochs: int = 60
    batch_size: int = 50
    levels: int = 2
    filters: int = 32
    residual_layers: int = 1
    first_downsamplings: int = 1
    num_embeddings: int = 32
    embedding_dim: int = 8
    commitment: float = 0.25
    learning_rate: float = 2e-3
    prior_epochs: int = 30
    prior_filters: int = 32
    prior_blocks: int = 1
    prior_residual: int = 2
    prior_heads: int = 4
    prior_rate: float = 2e-3
    compare: bool = False
    compare_embeddings: int = 64


def build(config, event_shape, std, levels, filters, num_embeddings):
    """A VQ-VAE with this number of levels, not compiled."""
    encoders, upsamplers, decoder = networks.vq_vae2_networks(
        event_shape,
        num_levels=levels,
        embedding_dim=config.embedding_dim,
        filters=filters,
        residual_filters=filters // 4,
        num_residual_layers=config.residual_layers,
        first_downsamplings=config.first_downsamplings,
        seed=config.seed,
    )
    bottom = (*encoders[0].output_shape[1:-1], config.embedding_dim)
    return keras_vae.VQVAE2(
        encoders,
        upsamplers,
        decoder,
        num_embeddings,
        config.embedding_dim,
        likelihoods.Normal(std),
        commitment_weight=codes.commitment_weight(
            config.commitment, event_shape, bottom
        ),
        seed=config.seed,
    )


def build_of_size(config, event_shape, std, parameters):
    """One level, with the filters that come nearest to a size."""

    def make(filters):
        model = build(
            config, event_shape, std, 1, filters, config.compare_embeddings
        )
        model.build((None, *event_shape))
        return model

    low, high = 4, 4
    while make(high).count_params() < parameters:
        low, high = high, 2 * high
    candidates = range(low, high + 1, 4)
    best = min(
        candidates, key=lambda n: abs(make(n).count_params() - parameters)
    )
    return make(best)


def build_prior(config, model, level):
    """The prior of a level, given the codes above, not compiled."""
    shapes = model.code_shapes()
    top = level + 1 == len(shapes)
    options = {}
    if not top:
        # Without attention, kernels must see the upper right.
        options = {
            "condition_shape": shapes[level + 1],
            "kernel_size": 3,
            "anchor": "center",
        }
    return keras_vae.PixelSNAIL(
        shapes[level],
        config.num_embeddings,
        num_heads=config.prior_heads,
        conditional=not top,
        attention=top,
        filters=config.prior_filters,
        num_blocks=config.prior_blocks,
        num_residual=config.prior_residual,
        seed=config.seed,
        **options,
    )


# === Stages ===


def train_vq_vae(config, run, data, make, stage):
    """The model of the last epoch."""
    with run.strategy.scope():
        model = make()
        adam = optimizers.adam(config.learning_rate, config.epochs, data)
        run.compile(model, adam, data)
    return run.fit(model, data, monitor=None, stage=stage)


def train_priors(config, run, model, indices):
    """The priors of the best epochs, bottom first."""
    priors = []
    for level in range(config.levels):
        data = codes.prior_data(run, indices, level)
        with run.strategy.scope():
            prior = build_prior(config, model, level)
            adam = optimizers.adam(config.prior_rate, config.prior_epochs, data)
            run.compile(prior, adam, data)
        stage = f"prior{level + 1}"
        priors.append(
            run.fit(prior, data, stage=stage, epochs=config.prior_epochs)
        )
    return priors


# === Results ===


def bits(model):
    return sum(model.code_lengths()) / math.log(2.0)


def train(config):
    with harness.Run("vq_vae2_razavi2019", config) as run:
        arrays = run.arrays().as_float32()
        data = run.load()
        std = codes.training_std(arrays)
        model = train_vq_vae(
            config,
            run,
            data,
            lambda: build(
                config,
                data.event_shape,
                std,
                config.levels,
                config.filters,
                config.num_embeddings,
            ),
            "vq_vae2",
        )
        indices = codes.extract(run, model, arrays)
        one_level = None
        if config.compare:
            one_level = train_vq_vae(
                config,
                run,
                data,
                lambda: build_of_size(
                    config, data.event_shape, std, model.count_params()
                ),
                "one_level",
            )
        priors = None
        if config.prior_epochs:
            priors = train_priors(config, run, model, indices)
        if not run.chief:
            return
        x = data.examples(20)[0]
        run.save_figure(
            "reconstructions", visualization.plot_reconstructions(model, x)
        )
        for stage in run.histories:
            run.save_figure(f"loss_curves_{stage}", run.draw_history(stage))
        numbers = codes.quality(model, arrays, indices)
        numbers |= {"bits": bits(model), "parameters": model.count_params()}
        if one_level is not None:
            numbers |= {
                "one_level_nmse": codes.nmse(one_level, arrays),
                "one_level_bits": bits(one_level),
                "one_level_parameters": one_level.count_params(),
            }
        exported = model
        if priors is not None:
            exported, more = codes.with_priors(model, priors, arrays.x_test)
            numbers |= more
            run.save_figure(
                "samples", visualization.plot_samples(exported, seed=0)
            )
        run.finish(
            exported,
            numbers,
            note="The paper reports no number at this size. nmse is the mean "
            "squared error over the variance of the training images.",
        )


def main(argv=None):
    harness.command_line(
        "vq_vae2_razavi2019", train, Config, PRESETS, SMOKE, argv
    )


if __name__ == "__main__":
    main()
