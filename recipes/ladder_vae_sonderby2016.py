"""Sonderby, Raiko, Maaloe, Sonderby, Winther, 2016, Ladder VAEs.

    python -m recipes.ladder_vae_sonderby2016

trains a ladder VAE of three levels on 8x8 handwritten digits in a minute or
two. The paper's five levels on MNIST or OMNIGLOT, 50 epochs; 200 epochs and
fine-tuning with ten importance samples:

    python -m recipes.ladder_vae_sonderby2016 --preset mnist
    python -m recipes.ladder_vae_sonderby2016 --preset mnist --epochs 200 \\
        --fine-tune-epochs 50

`recipes.hierarchical_vae_sonderby2016` has the models that it is compared
with. Test images are binarised once, training images anew in every epoch. The
NLL is the bound with 5000 samples. Active units have a KL above 0.01 nats.

What differs from the paper: the warm-up is a fifth of the run in the place of
200 of 2000 epochs, and the learning rate falls in three steps.
"""

import dataclasses
from typing import Literal

import keras_vae
from keras_vae import networks
from recipes import harness
from recipes import levels

# Table 1 of the first version: one sample; ten importance samples.
PAPER = {"test_nll": 81.87, "active_units": 81}
PAPER_FINE_TUNED = {"test_nll": 81.35}


@dataclasses.dataclass(frozen=True)
class Config(levels.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        inference: shared: the downward pass of inference uses p(z_l |
            z_{l+1}); separate: networks of its own, as in the paper's first
            version.
    """

    preset: Literal["default", "mnist", "omniglot"] = "default"
    inference: Literal["shared", "separate"] = "shared"


def build(config, data):
    """The model, not compiled."""
    arguments = levels.network_arguments(config, data, batch_norm=True)
    inference_networks = None
    if config.inference == "separate":
        _, inference_networks, _ = networks.mlp_hierarchy(
            **{**arguments, "seed": config.seed + 1}
        )
    return keras_vae.LadderVAE(
        *networks.mlp_hierarchy(**arguments, ladder=True),
        latent_dims=list(config.latent_dims),
        inference_networks=inference_networks,
        beta=levels.warm_up(config, data),
        free_bits=config.free_bits,
        batch_norm=True,
        seed=config.seed,
    )


def train(config):
    paper = {}
    if config.preset == "mnist":
        paper = PAPER_FINE_TUNED if config.fine_tune_epochs else PAPER
    if config.preset == "omniglot":
        paper = {"test_nll": 101.59}
    levels.train("ladder_vae_sonderby2016", config, build, paper)


def main(argv=None):
    harness.command_line(
        "ladder_vae_sonderby2016",
        train,
        Config,
        levels.PRESETS,
        levels.SMOKE,
        argv,
    )


if __name__ == "__main__":
    main()
