"""Gregor et al., 2019, Temporal Difference Variational Auto-Encoder.

    python -m recipes.td_vae_gregor2019

fits a TD-VAE to videos of binary 8x8 digits that move to the left or to the
right, and two state space models with the same networks that are trained on
the ELBO of all steps: a filtering one and a mean-field one. MNIST, at 14x14,
and noisy oscillators with jumps of up to 100 steps:

    python -m recipes.td_vae_gregor2019 --images mnist --num-train 20000 \\
        --epochs 60
    python -m recipes.td_vae_gregor2019 --data oscillator

Oscillators are observed with a noise whose deviation the decoder is told: one
that learns it begins by calling the whole signal noise, and stays there. Their
p_T is told sines and cosines of the jump.

Bounds are nats for each step, given the steps before it; the first step does
not count. What differs from the paper: digits are halved in size, all models
have the same number of training steps, jumps are of one or two steps, and
Adam's learning rate falls to 0.
"""

import dataclasses
from typing import Literal

import keras
import numpy as np

import keras_vae
from keras_vae import networks
from keras_vae import schedules
from keras_vae import visualization
from recipes import harness
from recipes import optimizers
from recipes import sequence_data
from recipes import sequence_scores
from recipes import settings
from recipes.sequential_vae import SequentialVAE

# Defaults of the other flags, by --data.
PRESETS = {
    "moving_digits": {},
    "oscillator": {
        "num_train": 4000,
        "length": 200,
        "context": 80,
        "jump_range": (1, 100),
        "jump_distribution": "log_uniform",
        "jump_frequencies": 8,
        "num_pairs": 8,
        "hidden_units": 128,
        "belief_units": 64,
        "features": (),
        "decoder_units": (64,),
        "baselines": (),
        "batch_size": 50,
        "learning_rate": 2e-3,
        "epochs": 60,
    },
}
SMOKE = {
    "epochs": 1,
    "num_train": 40,
    "num_test": 20,
    "belief_units": 8,
    "hidden_units": 8,
    "latent_dims": (3, 2),
    "num_samples": 3,
}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        data: What the sequences are, and what the other flags default to.
        images: Image set of the moving digits: digits (bundled), mnist, or
            the name of a file in --data-dir.
        num_train: Training sequences.
        num_test: Test sequences, and as many to choose the best epoch.
        length: Steps of a sequence.
        frequency_spread: Frequencies of oscillators differ from their mean by
            up to this part of it.
        context: Steps that predictions are given.
        jump_range: Least and largest t2 - t1 in training.
        jump_distribution: How they are drawn.
        jump_frequencies: Frequencies at which p_T is told sine and cosine of
            the jump.
        num_pairs: Pairs (t1, t2) of each sequence in a training step.
        belief_units: Units of the LSTM.
        latent_dims: Size of each level of the state, bottom first.
        hidden_units: Units of all conditional distributions.
        features: Widths of the layers between a step and the LSTM.
        decoder_units: Widths of the decoder.
        learning_rate: Of the first step; it falls to 0.
        warm_up: Part of the epochs in which the weight of all terms but the
            reconstruction rises from 0 to 1, in the TD-VAE.
        baselines: The models that are trained for comparison.
        num_samples: Futures of each test sequence.
    """

    data: Literal["moving_digits", "oscillator"] = "moving_digits"
    epochs: int = 60
    images: str = "digits"
    num_train: int = 4000
    num_test: int = 500
    length: int = 16
    frequency_spread: float = 0.1
    context: int = 11
    jump_range: tuple[int, int] = (1, 2)
    jump_distribution: Literal["uniform", "log_uniform"] = "uniform"
    jump_frequencies: settings.MayBeZero = 0
    num_pairs: int = 16
    belief_units: int = 128
    latent_dims: tuple[int, ...] = (8, 8)
    hidden_units: int = 128
    features: tuple[int, ...] = (200,)
    decoder_units: tuple[int, ...] = (200, 200)
    learning_rate: float = 1e-3
    warm_up: settings.Part = 0.0
    baselines: tuple[Literal["filtering", "mean_field"], ...] = (
        "filtering",
        "mean_field",
    )
    num_samples: int = 10


def check(config):
    """Raises a ValueError if the settings contradict each other."""
    largest = config.jump_range[1]
    if not 1 <= config.context < config.length - 1:
        raise ValueError(
            "`context` must leave at least two steps to predict. "
            f"Received: context={config.context}, length={config.length}"
        )
    if config.data == "oscillator" and (
        config.jump_range[0] > 1 or config.context + largest > config.length
    ):
        raise ValueError(
            "`jump_range` must begin at 1, and end within the steps after the "
            f"context. Received: jump_range={config.jump_range}, "
            f"context={config.context}, length={config.length}"
        )


# === Models ===


def parts(config, event_shape):
    """What all models are made of: arguments of their constructors."""
    likelihood = "bernoulli"
    if config.data == "oscillator":
        likelihood = keras_vae.likelihoods.Normal(sequence_data.NOISE)
    preprocessor = None
    if config.features:
        preprocessor = networks.mlp_encoder(
            event_shape, config.features, seed=config.seed
        )
    return {
        "belief_network": keras.layers.LSTM(
            config.belief_units,
            kernel_initializer=keras.initializers.GlorotUniform(config.seed),
            recurrent_initializer=keras.initializers.Orthogonal(config.seed),
        ),
        "decoder": networks.mlp_decoder(
            sum(config.latent_dims),
            event_shape,
            config.decoder_units,
            seed=config.seed,
        ),
        "latent_dims": list(config.latent_dims),
        "preprocessor": preprocessor,
        "hidden_units": config.hidden_units,
        "likelihood": likelihood,
        "seed": config.seed,
    }


def build(config, event_shape, steps_per_epoch=1):
    """The TD-VAE, not compiled."""
    steps = round(config.warm_up * config.epochs * steps_per_epoch)
    return keras_vae.TDVAE(
        **parts(config, event_shape),
        jump_range=config.jump_range,
        jump_distribution=config.jump_distribution,
        jump_frequencies=config.jump_frequencies,
        num_pairs=config.num_pairs,
        beta=schedules.LinearWarmUp(steps) if steps else 1.0,
    )


def fit(config, run, data, stage, make):
    """The best of a run, with Adam."""
    with run.strategy.scope():
        model = make()
        adam = optimizers.adam(
            config.learning_rate, config.epochs, data, global_clipnorm=10.0
        )
        run.compile(model, adam, data)
    return run.fit(model, data, stage=stage)


# === Numbers and pictures ===


def compare(config, models, x):
    """Bounds of all models, and what the TD-VAE's is above the others."""
    bounds = {
        name: sequence_scores.bounds(model, x, config.seed)
        for name, model in models.items()
    }
    numbers = {}
    for name, values in bounds.items():
        mean, error = sequence_scores.mean_and_error(values)
        numbers[f"{name}_bound_per_step"] = mean
        numbers[f"{name}_bound_error"] = error
        if name != "td_vae":
            mean, error = sequence_scores.mean_and_error(
                bounds["td_vae"] - values
            )
            numbers[f"above_{name}"] = mean
            numbers[f"above_{name}_error"] = error
    return numbers


def judge_moving_digits(config, run, models, x, direction):
    """Numbers of the futures of videos; figures."""
    numbers = {
        "direction_found_in_data": float(
            np.mean(sequence_data.found_directions(x) == direction)
        )
    }
    for name, model in models.items():
        numbers[f"{name}_direction_kept"] = sequence_scores.directions(
            model, x, direction, config.context, config.num_samples, config.seed
        )
    model = models["td_vae"]
    ahead = config.length - config.context
    right, both = sequence_scores.directions_of_one_frame(
        model, x, ahead, config.num_samples, config.seed
    )
    numbers["one_frame_to_the_right"] = right
    numbers["one_frame_both_directions"] = both
    _draw_videos(config, run, model, x)
    return numbers


def _draw_videos(config, run, model, x):
    context, ahead = config.context, config.length - config.context
    shown = x[:6]
    futures = np.asarray(
        model.rollout(shown[:, :context], ahead, 1, seed=config.seed)
    )[:, 0]
    predicted = np.concatenate([shown[:, :context], futures], axis=1)
    rows = {}
    for index in range(4):
        rows[f"x {index + 1}"] = shown[index]
        rows[f"predicted {index + 1}"] = predicted[index]
    run.save_figure(
        "rollouts",
        visualization.plot_rows(
            rows, f"{context} frames of context, {ahead} predicted"
        ),
    )
    steps = config.length - 1
    many = np.asarray(model.rollout(shown[:1, :1], steps, 6, seed=config.seed))
    first = np.repeat(shown[:1, :1], 6, axis=0)
    videos = np.concatenate([first, many[0]], axis=1)
    run.save_figure(
        "futures_of_one_frame",
        visualization.plot_rows(
            {f"future {n + 1}": video for n, video in enumerate(videos)},
            "futures of one frame",
        ),
    )
    for name, shots in (("rollouts", predicted), ("futures", videos)):
        visualization.save_animation(
            shots, run.path / "figures" / f"{name}.gif"
        )


def judge_oscillator(config, run, models, x, state):
    """Numbers of jumps and of steps; the figure of both."""
    model = models["td_vae"]
    context, largest = config.context, config.jump_range[1]
    near = min(20, largest)
    past = x[:, :context]
    samples = 10 * config.num_samples

    def position(t):
        return state[:, context - 1 + t, 0]

    numbers = {}
    jumps = {}
    for dt in (near, largest):
        jumps[dt] = np.asarray(
            model.jump(past, dt, samples, seed=dt, observe=True)
        )[..., 0]
        numbers[f"coverage_of_90_percent_at_{dt}"] = sequence_scores.coverage(
            jumps[dt], x[:, context - 1 + dt, 0]
        )
        means = np.asarray(model.jump(past, dt, samples, seed=dt))
        numbers[f"jump_error_at_{dt}"] = sequence_scores.root_mean_square(
            means[..., 0].mean(axis=1), position(dt)
        )
    steps = np.asarray(model.rollout(past, near, samples, seed=1))[..., 0]
    numbers[f"single_steps_error_at_{near}"] = sequence_scores.root_mean_square(
        steps[:, :, -1].mean(axis=1), position(near)
    )
    numbers["error_of_jump_to_steps"] = (
        numbers[f"jump_error_at_{near}"]
        / numbers[f"single_steps_error_at_{near}"]
    )
    numbers["position_deviation"] = float(position(near).std())
    jump, single = sequence_scores.seconds_of_transitions(model, near)
    numbers["single_steps_to_jump_seconds"] = single / jump
    observed = model.rollout(past, near, samples, seed=1, observe=True)
    _draw_series(config, run, x, jumps, np.asarray(observed)[..., 0], near)
    return numbers


def _draw_series(config, run, x, jumps, steps, near):
    last = config.context - 1
    forecasts = {
        f"jump of {dt}": (np.array([last + dt]), samples[:, :, None])
        for dt, samples in jumps.items()
    }
    forecasts[f"{near} single steps"] = (last + 1 + np.arange(near), steps)
    run.save_figure(
        "forecasts",
        visualization.plot_forecast(
            x[:4, :, 0], forecasts, config.context, title="bands of 90 %"
        ),
    )


def train(config):
    check(config)
    make, judge = {
        "moving_digits": (sequence_data.moving_digits, judge_moving_digits),
        "oscillator": (sequence_data.oscillator, judge_oscillator),
    }[config.data]
    with harness.Run("td_vae_gregor2019", config) as run:
        sequences = make(config)
        data = run.data_of(*(x for x, _ in sequences.values()))
        event_shape = data.event_shape[1:]
        models = {
            "td_vae": fit(
                config,
                run,
                data,
                "td_vae",
                lambda: build(config, event_shape, data.steps_per_epoch),
            )
        }
        for inference in config.baselines:
            models[inference] = fit(
                config,
                run,
                data,
                inference,
                lambda inference=inference: SequentialVAE(
                    **parts(config, event_shape), inference=inference
                ),
            )
        if not run.chief:
            return
        x, hidden = data.x_test, sequences["test"][1]
        for stage in models:
            run.save_figure(f"loss_curves_{stage}", run.draw_history(stage))
        numbers = compare(config, models, x)
        numbers |= judge(config, run, models, x, hidden)
        run.finish(
            models["td_vae"],
            numbers,
            note="The paper has pictures of these data, and no number.",
        )


def main(argv=None):
    harness.command_line(
        "td_vae_gregor2019", train, Config, PRESETS, SMOKE, argv, chooser="data"
    )


if __name__ == "__main__":
    main()
