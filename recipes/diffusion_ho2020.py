"""Ho, Jain, Abbeel, 2020, Denoising Diffusion Probabilistic Models.

    python -m recipes.diffusion_ho2020

trains a small U-Net on 8x8 handwritten digits of 17 grey levels, samples new
ones, and writes how many bits each level of the chain takes to levels.csv, in a
few minutes on two cores. On MNIST, and with the paper's network on CIFAR-10,
which needs accelerators for days:

    python -m recipes.diffusion_ho2020 --preset mnist
    python -m recipes.diffusion_ho2020 --preset cifar10

All 1000 levels of the bound are computed, for `--test-images` images. What
differs: a cosine takes the learning rate to 0, where the paper warms up and
stays; no image is flipped.
"""

import csv
import dataclasses
import io
import math
from typing import Literal

import numpy as np

import keras_vae
from keras_vae import networks
from keras_vae import visualization
from keras_vae.callbacks.writing import atomic_file
from recipes import harness
from recipes import optimizers
from recipes import settings
from recipes import stopwatch
from recipes.data import grey_levels

# Bound on the bits for each colour of each pixel of CIFAR-10's test images,
# table 1, for the simple objective.
CIFAR10 = 3.75

PRESETS = {
    "default": {},
    "mnist": {
        "data": "mnist",
        "batch_size": 128,
        "epochs": 10,
        "multipliers": (1, 2, 2),
        "learning_rate": 1e-3,
        "ema_momentum": 0.999,
        "test_images": 100,
    },
    "cifar10": {
        "data": "cifar10",
        "batch_size": 128,
        "epochs": 2000,
        "filters": 128,
        "multipliers": (1, 2, 2, 2),
        "num_residual": 2,
        "num_groups": 32,
        "dropout": 0.1,
        "learning_rate": 2e-4,
        "ema_momentum": 0.9999,
        "test_images": 1000,
    },
}
SMOKE = {
    "epochs": 1,
    "filters": 8,
    "multipliers": (1,),
    "attention": (),
    "num_groups": 8,
    "num_steps": 20,
    "test_images": 10,
}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        epochs: Passes over the training images.
        num_levels: Grey levels of a pixel; default: 17 for digits, 256
            elsewhere.
        num_steps: T, levels of noise.
        noise_schedule: How the noise grows.
        prediction: What the network predicts.
        objective: What is minimised.
        variance: Of the reverse steps.
        filters: Of the convolutions at full size.
        multipliers: Of the filters, for each size.
        num_residual: Residual blocks at each size, on the way down.
        attention: Sizes with self-attention, 0 the largest.
        num_groups: Groups of the normalisations.
        dropout: In all residual blocks.
        learning_rate: Of the first step; it falls to 0.
        ema_momentum: Of the averages of the weights, which are the result.
        samples: How many images are drawn.
        test_images: How many test images the bound is computed for.
    """

    preset: Literal["default", "mnist", "cifar10"] = "default"
    epochs: int = 60
    batch_size: int = 50
    num_levels: int | None = None
    num_steps: int = 1000
    noise_schedule: Literal["linear", "cosine"] = "linear"
    prediction: Literal["noise", "x", "v"] = "noise"
    objective: Literal["simple", "bound"] = "simple"
    variance: Literal["beta", "posterior"] = "beta"
    filters: int = 32
    multipliers: tuple[int, ...] = (1, 2)
    num_residual: int = 1
    attention: tuple[settings.MayBeZero, ...] = (1,)
    num_groups: int = 8
    dropout: float = 0.0
    learning_rate: float = 2e-3
    ema_momentum: float = 0.99
    samples: int = 25
    test_images: int = 100


def build(config, event_shape):
    """The model, not compiled."""
    network = networks.unet(
        event_shape,
        config.filters,
        config.multipliers,
        config.num_residual,
        config.attention,
        num_groups=config.num_groups,
        dropout=config.dropout,
        seed=config.seed,
    )
    return keras_vae.DiffusionModel(
        network,
        config.noise_schedule,
        config.num_steps,
        prediction=config.prediction,
        objective=config.objective,
        variance=config.variance,
        num_levels=grey_levels(config),
        seed=config.seed,
    )


def bits_by_level(levels, event_shape):
    """Bits per dimension of the prior and of levels 1..T, means of images."""
    nats = np.concatenate(
        [
            levels["prior_loss"][:, np.newaxis],
            levels["reconstruction_loss"][:, np.newaxis],
            levels["diffusion_loss"],
        ],
        axis=1,
    )
    return nats.mean(axis=0) / (math.prod(event_shape) * math.log(2.0))


def write_levels(path, bits):
    """levels.csv: the level of the prior is T + 1."""
    rows = [*enumerate(bits[1:].tolist(), start=1), (len(bits), bits[0].item())]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["t", "bits_per_dim"])
    writer.writerows(rows)
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def draw_levels(bits):
    """Figure of the bits of levels 1..T."""
    from matplotlib.figure import Figure

    figure = Figure((5.0, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(1, len(bits)), bits[1:])
    axes.set(xlabel="t", ylabel="bits per dimension", xscale="log")
    axes.set_yscale("log", nonpositive="mask")
    return figure


def progressive_reconstructions(model, x):
    """Figure of what is left of images at levels on the way to noise."""
    rows = {"x": x}
    for fraction in (0.1, 0.25, 0.5, 0.75, 1.0):
        t = max(1, round(fraction * model.num_steps))
        rows[f"t = {t}"] = model.reconstruct(x, t)
    return visualization.plot_rows(rows, "predicted x")


def few_steps(config):
    """Steps of the short way from noise to samples."""
    return min(50, config.num_steps)


def seconds_of_sampling(config, model, rounds=5):
    """Median seconds of samples in all steps, and in few with DDIM."""
    return stopwatch.median_seconds(
        [
            lambda: model.sample(config.samples, config.seed),
            lambda: model.sample(
                config.samples, config.seed, few_steps(config), "ddim"
            ),
        ],
        rounds,
    )


def draw(config, run, model, x):
    """Samples in all and in few steps, and reconstructions."""
    few = few_steps(config)
    figures = {
        "loss_curves": run.draw_history(),
        "samples": visualization.image_grid(
            model.sample(config.samples, config.seed), title="samples"
        ),
        "samples_ddim": visualization.image_grid(
            model.sample(config.samples, config.seed, few, "ddim"),
            title=f"samples, {few} steps",
        ),
        "reconstructions": progressive_reconstructions(model, x),
    }
    for name, figure in figures.items():
        run.save_figure(name, figure)


def train(config):
    with harness.Run("diffusion_ho2020", config) as run:
        data = run.load()
        with run.strategy.scope():
            model = build(config, data.event_shape)
            adam = optimizers.adam(
                config.learning_rate,
                config.epochs,
                data,
                global_clipnorm=1.0,
                use_ema=True,
                ema_momentum=config.ema_momentum,
            )
            run.compile(model, adam, data)
        best = run.fit(model, data)
        if not run.chief:
            return
        x, _ = data.examples(config.test_images)
        levels = best.elbo_levels(x, seed=config.seed)
        bits = bits_by_level(levels, data.event_shape)
        write_levels(run.path / "levels.csv", bits)
        run.save_figure("levels", draw_levels(bits))
        draw(config, run, best, x[:10])
        ancestral, ddim = seconds_of_sampling(config, best)
        run.finish(
            best,
            {
                "test_bits_per_dim": float(bits.sum()),
                "prior_bits": float(bits[0]),
                # Ho et al.: what the levels above the first transmit.
                "rate_bits": float(bits[0] + bits[2:].sum()),
                "distortion_bits": float(bits[1]),
            },
            {"test_bits_per_dim": CIFAR10} if config.data == "cifar10" else {},
            f"Bounds, from all {config.num_steps} levels of {len(x)} images.",
            {
                "ancestral_seconds": ancestral,
                "ddim_seconds": ddim,
                "ddim_times_as_fast": ancestral / ddim,
            },
        )


def main(argv=None):
    harness.command_line(
        "diffusion_ho2020", train, Config, PRESETS, SMOKE, argv
    )


if __name__ == "__main__":
    main()
