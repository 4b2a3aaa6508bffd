"""Higgins et al., 2017, beta-VAE; and what came after it.

    python -m recipes.beta_vae_higgins2017

trains a beta-VAE on sprites of 16x16 whose factors are known, scores how well
units follow factors, and shows what each unit does, in a minute or two.
dSprites, from the file dsprites.npz of the data folder, with the objectives of
Higgins et al. (beta = 4), Burgess et al. (capacity), Chen, Li et al. (total
correlation estimated from batches) and Kim and Mnih (by a discriminator):

    python -m recipes.beta_vae_higgins2017 --preset higgins
    python -m recipes.beta_vae_higgins2017 --preset burgess
    python -m recipes.beta_vae_higgins2017 --preset tc
    python -m recipes.beta_vae_higgins2017 --preset factor

Several weights in one run, in one table and one figure of rate and distortion:

    python -m recipes.beta_vae_higgins2017 --sweep 1 2 4 8 16

MIG and SAP are in the protocols of Locatello et al., from means of q(z|x), MIG
with all factors in 20 bins. What differs from the papers: fewer steps, in
larger batches, with Adam.
"""

import csv
import dataclasses
import io
from typing import Literal

import keras
import numpy as np

import keras_vae
from keras_vae import metrics
from keras_vae import networks
from keras_vae import schedules
from keras_vae import visualization
from keras_vae.callbacks.writing import atomic_file
from keras_vae.metrics import disentanglement
from recipes import factor_data
from recipes import harness
from recipes import settings
from recipes.data import mean_logits

_DSPRITES = {
    "data": "dsprites",
    "batch_size": 1024,
    "epochs": 10,
    "latent_dim": 10,
    "units": (1200, 1200),
}
PRESETS = {
    "default": {},
    "higgins": {**_DSPRITES, "beta": 4.0},
    "burgess": {**_DSPRITES, "objective": "capacity", "gamma": 1000.0},
    "tc": {**_DSPRITES, "objective": "weighted", "beta": 6.0},
    "factor": {**_DSPRITES, "objective": "discriminator", "beta": 35.0},
}
SMOKE = {
    "epochs": 1,
    "units": (16,),
    "discriminator_units": (8,),
    "batch_size": 500,
    "num_scored": 300,
}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        data: sprites (drawn on the spot), or dsprites, from --data-dir.
        objective: What is weighed: beta (the KL), capacity (its distance from
            a number), weighted or stratified (the total correlation, from
            batches), discriminator (by a discriminator).
        beta: The weight of the KL, or of the total correlation.
        sweep: Weights, in the place of one: a model for each.
        gamma: The weight of the distance from the capacity.
        capacity: Nats at the end of its rise.
        rising: Part of the training in which the capacity rises from 0.
        latent_dim: Units of the code.
        units: Widths of the encoder, and of the decoder.
        discriminator_units: Widths of the discriminator.
        learning_rate: Of Adam, constant.
        num_scored: Images, pairs or votes that the scores are trained on.
    """

    preset: Literal["default", "higgins", "burgess", "tc", "factor"] = "default"
    data: Literal["sprites", "dsprites"] = "sprites"
    epochs: int = 150
    batch_size: int = 100
    objective: Literal[
        "beta", "capacity", "weighted", "stratified", "discriminator"
    ] = "beta"
    beta: float = 4.0
    sweep: tuple[float, ...] = ()
    gamma: float = 100.0
    capacity: float = 25.0
    rising: settings.Part = 0.5
    latent_dim: int = 6
    units: tuple[int, ...] = (128, 128)
    discriminator_units: tuple[int, ...] = (1000,) * 6
    learning_rate: float = 1e-3
    num_scored: int = 10_000


def label(beta):
    """A weight as text, of its own for each."""
    short = f"{beta:g}"
    return short if float(short) == beta else repr(beta)


def build(config, data, num_examples, beta):
    """The model, not compiled."""
    arguments = {"beta": beta}
    if config.objective == "capacity":
        steps = round(config.rising * config.epochs * data.steps_per_epoch)
        arguments = {
            "capacity": schedules.LinearWarmUp(
                max(1, steps), 0.0, config.capacity
            ),
            "gamma": config.gamma,
        }
    elif config.objective == "discriminator":
        arguments |= {
            "discriminator": networks.mlp_decoder(
                config.latent_dim,
                (1,),
                config.discriminator_units,
                activation="leaky_relu",
                seed=config.seed,
                name="discriminator",
            ),
            # Kim and Mnih, 2018, appendix A.
            "discriminator_optimizer": keras.optimizers.Adam(
                1e-4, beta_1=0.5, beta_2=0.9
            ),
        }
    if config.objective not in ("beta", "capacity"):
        arguments |= {
            "total_correlation": config.objective,
            "num_examples": num_examples,
        }
    return keras_vae.BetaVAE(
        networks.mlp_encoder(data.event_shape, config.units, seed=config.seed),
        networks.mlp_decoder(
            config.latent_dim,
            data.event_shape,
            config.units[::-1],
            activation="tanh",
            output_bias=mean_logits(data),
            seed=config.seed,
        ),
        config.latent_dim,
        seed=config.seed,
        **arguments,
    )


def score(config, model, images, data):
    """Numbers of a model, by name, and its codes of all images."""
    codes = disentanglement.encode_all(model.encode, images)
    model.compile()
    logs = model.evaluate(
        data.x_test, batch_size=1000, verbose=0, return_dict=True
    )
    num = config.num_scored
    half = max(1, num // 2)
    seed = config.seed
    active = metrics.active_units(model, data.x_test, definition="kl")
    numbers = {
        "test_reconstruction_loss": logs["reconstruction_loss"],
        "test_kl_loss": logs["kl_loss"],
        "test_neg_elbo": logs["neg_elbo"],
        "active_units": active.count,
        "mig": disentanglement.mig(codes, images, num, seed=seed),
        "sap": disentanglement.sap(codes, images, num, seed=seed),
        "factor_vae_score": disentanglement.factor_vae_score(
            codes, images, num, half, seed=seed
        ),
        "beta_vae_score": disentanglement.beta_vae_score(
            codes, images, num, half, seed=seed
        ),
    }
    return numbers, codes


def write_table(path, rows):
    """table.csv: a row of numbers for each weight."""
    text = io.StringIO()
    names = ["beta", *next(iter(rows.values()))]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for beta, numbers in rows.items():
        writer.writerow({"beta": beta, **numbers})
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def draw(run, model, images, codes, data):
    """What each unit does, and which factors it follows."""
    x, _ = data.examples(1000)
    index = np.random.default_rng(0).integers(0, images.num_images, 10_000)
    information = disentanglement.mutual_information(
        codes.codes[index], images.factors_of(index)
    )
    figures = {
        "reconstructions": visualization.plot_reconstructions(model, x[:20]),
        "samples": visualization.plot_samples(model, seed=run.config.seed),
        "traversals": visualization.plot_traversals(model, x),
        "units_and_factors": visualization.plot_factor_map(
            information, images.factor_names, "mutual information, nats"
        ),
    }
    for stage in run.histories:
        figures[f"loss_curves_{stage}"] = run.draw_history(stage)
    for name, figure in figures.items():
        run.save_figure(name, figure)
    kl = metrics.kl_per_dimension(model, x)
    there = np.linspace(-2.5, 2.5, 15)
    visualization.save_animation(
        model.traverse(
            x[0], np.argsort(-kl), np.concatenate([there, there[-2:0:-1]])
        ),
        run.path / "figures" / "traversals.gif",
        frame_seconds=0.1,
    )


def train(config):
    betas = config.sweep or (config.beta,)
    if config.sweep and config.objective == "capacity":
        raise ValueError(
            "`sweep` needs an objective with a weight. "
            f"Received: sweep={config.sweep}, objective='capacity'"
        )
    if len(set(betas)) < len(betas):
        raise ValueError(
            "`sweep` must have different weights. "
            f"Received: sweep={config.sweep}"
        )
    with harness.Run("beta_vae_higgins2017", config) as run:
        images = factor_data.load(config)
        data, num_examples = factor_data.data_of(run, images)
        models = {}
        for beta in betas:
            with run.strategy.scope():
                model = build(config, data, num_examples, beta)
                run.compile(
                    model, keras.optimizers.Adam(config.learning_rate), data
                )
            # The objective is not the bound: its last epoch is the result.
            models[beta] = run.fit(
                model, data, monitor=None, stage=f"beta_{label(beta)}"
            )
        if not run.chief:
            return
        rows, codes = {}, {}
        for beta, model in models.items():
            rows[beta], codes[beta] = score(config, model, images, data)
        best = max(rows, key=lambda beta: rows[beta]["mig"])
        numbers = rows[best]
        write_table(run.path / "table.csv", rows)
        draw(run, models[best], images, codes[best], data)
        if len(rows) > 1:
            numbers = {"best_beta": best, **numbers}
            run.save_figure(
                "rate_distortion",
                visualization.plot_rate_distortion(
                    {
                        f"beta = {label(beta)}": (
                            row["test_kl_loss"],
                            row["test_reconstruction_loss"],
                        )
                        for beta, row in rows.items()
                    }
                ),
            )
        run.finish(
            models[best],
            numbers,
            note="The weight with the largest MIG is exported."
            if len(rows) > 1
            else None,
        )


def main(argv=None):
    harness.command_line(
        "beta_vae_higgins2017", train, Config, PRESETS, SMOKE, argv
    )


if __name__ == "__main__":
    main()
