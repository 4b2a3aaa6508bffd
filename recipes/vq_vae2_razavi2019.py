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
from recipes import codes
from recipes import harness
from recipes import settings
from recipes import two_stages

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


@dataclasses.dataclass(frozen=True)
class Config(two_stages.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        levels: Of codes; 2 in the paper, 3 for its largest images.
        first_downsamplings: Convolutions that halve height and width below
            the bottom codes; each level above halves them once more.
        compare: Train one level of codes as well, with as many parameters.
        compare_embeddings: Size of its codebook.
    """

    preset: Literal["default", "cifar10"] = "default"
    levels: int = 2
    first_downsamplings: int = 1
    num_embeddings: int = 32
    prior_epochs: settings.MayBeZero = 30
    compare: bool = False
    compare_embeddings: int = 64


def check_sides(config, event_shape):
    """Raises a ValueError if codes are not those above at twice the size.

    A prior is given the codes above; nothing is trained before that is known.
    """
    for side in event_shape[:2]:
        size = math.ceil(side / 2**config.first_downsamplings)
        for _ in range(config.levels - 1):
            if size > 1 and size % 2:
                raise ValueError(
                    "`first_downsamplings` and `levels` must halve the sides "
                    "of the images to even numbers, up to the level below "
                    "the top. Received: "
                    f"first_downsamplings={config.first_downsamplings}, "
                    f"levels={config.levels}, images of {event_shape}"
                )
            size = math.ceil(size / 2)


def build(config, arrays, levels, filters, num_embeddings):
    """A VQ-VAE with this number of levels, not compiled."""
    event_shape = arrays.x_train.shape[1:]
    mean = codes.channel_means(arrays)
    encoders, upsamplers, decoder = networks.vq_vae2_networks(
        event_shape,
        num_levels=levels,
        embedding_dim=config.embedding_dim,
        filters=filters,
        residual_filters=filters // 4,
        num_residual_layers=config.residual_layers,
        first_downsamplings=config.first_downsamplings,
        input_mean=mean,
        output_bias=mean,
        seed=config.seed,
    )
    bottom = (*encoders[0].output_shape[1:-1], config.embedding_dim)
    return keras_vae.VQVAE2(
        encoders,
        upsamplers,
        decoder,
        num_embeddings,
        config.embedding_dim,
        likelihoods.Normal(codes.training_std(arrays)),
        commitment_weight=codes.commitment_weight(
            config.commitment, event_shape, bottom
        ),
        seed=config.seed,
    )


def build_of_size(config, arrays, parameters):
    """One level, with the filters that come nearest to a size."""

    def make(filters):
        model = build(config, arrays, 1, filters, config.compare_embeddings)
        model.build((None, *arrays.x_train.shape[1:]))
        return model

    low, high = 4, 4
    while make(high).count_params() < parameters:
        low, high = high, 2 * high
    candidates = range(low, high + 1, 4)
    best = min(
        candidates, key=lambda n: abs(make(n).count_params() - parameters)
    )
    return make(best)


# === Stages ===


def prior_stage(level):
    return f"prior{level + 1}"


def fit_priors(config, run, model, indices):
    """The priors of all levels, bottom first, each given the codes above."""
    priors = []
    shapes = model.code_shapes()
    for level in range(config.levels):
        options = {}
        if level + 1 < config.levels:
            # Without attention, kernels must see the upper right.
            options = {
                "conditional": True,
                "condition_shape": shapes[level + 1],
                "attention": False,
                "kernel_size": 3,
                "anchor": "center",
            }
        priors.append(
            two_stages.fit_prior(
                config,
                run,
                model,
                indices,
                prior_stage(level),
                level,
                **options,
            )
        )
    return priors


# === Results ===


def bits(model):
    return sum(model.code_lengths()) / math.log(2.0)


def train(config):
    with harness.Run("vq_vae2_razavi2019", config) as run:
        arrays = run.arrays().as_float32()
        check_sides(config, arrays.x_train.shape[1:])
        data = run.load()
        model = two_stages.fit_autoencoder(
            config,
            run,
            data,
            lambda: build(
                config,
                arrays,
                config.levels,
                config.filters,
                config.num_embeddings,
            ),
            "vq_vae2",
        )
        priors = [prior_stage(level) for level in range(config.levels)]
        indices = codes.extract(run, model, arrays, priors)
        one_level = None
        if config.compare:
            one_level = two_stages.fit_autoencoder(
                config,
                run,
                data,
                lambda: build_of_size(config, arrays, model.count_params()),
                "one_level",
            )
        priors = None
        if config.prior_epochs:
            priors = fit_priors(config, run, model, indices)
        if not run.chief:
            return
        exported, numbers = two_stages.report(
            run, model, priors, data, arrays, indices
        )
        numbers |= {"bits": bits(model), "parameters": model.count_params()}
        if one_level is not None:
            numbers |= {
                "one_level_nmse": codes.nmse(one_level, arrays),
                "one_level_bits": bits(one_level),
                "one_level_parameters": one_level.count_params(),
            }
        run.finish(
            exported,
            numbers,
            note="The paper reports no number at this size. nmse is the mean "
            "squared error over the variance of the training images.",
        )


def main(argv=None):
    harness.command_line(
        "vq_vae2_razavi2019", train, Config, PRESETS, two_stages.SMOKE, argv
    )


if __name__ == "__main__":
    main()
