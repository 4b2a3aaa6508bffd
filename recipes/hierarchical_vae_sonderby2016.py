"""Sonderby et al., 2016, Ladder VAEs: the hierarchies it compares with.

    python -m recipes.hierarchical_vae_sonderby2016

trains a VAE with a chain of three latent variables on 8x8 handwritten digits
in a minute or two, with batch normalisation and warm-up. The paper's five
levels on MNIST or OMNIGLOT, 50 epochs, with neither, one, or both:

    python -m recipes.hierarchical_vae_sonderby2016 --preset mnist \\
        --variant plain
    python -m recipes.hierarchical_vae_sonderby2016 --preset mnist \\
        --variant batch_norm
    python -m recipes.hierarchical_vae_sonderby2016 --preset mnist

Data, schedule and numbers are those of `recipes.ladder_vae_sonderby2016`.
"""

import dataclasses
from typing import Literal

import keras_vae
from keras_vae import networks
from recipes import harness
from recipes import levels

# Table 2 of the first version on MNIST, table 3 on OMNIGLOT.
PAPER = {
    ("mnist", "plain"): {"active_units": 21},
    ("mnist", "batch_norm"): {"active_units": 37},
    ("mnist", "warm_up"): {"active_units": 61, "test_nll": 82.14},
    ("omniglot", "plain"): {"test_nll": 112.10},
    ("omniglot", "batch_norm"): {"test_nll": 107.94},
    ("omniglot", "warm_up"): {"test_nll": 101.86},
}


@dataclasses.dataclass(frozen=True)
class Config(levels.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        variant: plain: neither batch normalisation nor warm-up; batch_norm:
            without warm-up; warm_up: both.
    """

    preset: Literal["default", "mnist", "omniglot"] = "default"
    variant: Literal["plain", "batch_norm", "warm_up"] = "warm_up"


def build(config, data):
    """The model, not compiled."""
    batch_norm = config.variant != "plain"
    arguments = levels.network_arguments(config, data, batch_norm)
    beta = 1.0
    if config.variant == "warm_up":
        beta = levels.warm_up(config, data)
    return keras_vae.HierarchicalVAE(
        *networks.mlp_hierarchy(**arguments),
        latent_dims=list(config.latent_dims),
        beta=beta,
        free_bits=config.free_bits,
        batch_norm=batch_norm,
        seed=config.seed,
    )


def train(config):
    paper = PAPER.get((config.preset, config.variant), {})
    levels.train("hierarchical_vae_sonderby2016", config, build, paper)


def main(argv=None):
    harness.command_line(
        "hierarchical_vae_sonderby2016",
        train,
        Config,
        levels.PRESETS,
        levels.SMOKE,
        argv,
    )


if __name__ == "__main__":
    main()
