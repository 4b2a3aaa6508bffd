"""What the recipes of hierarchies share: settings, stages, numbers."""

import dataclasses

import keras
import numpy as np

from keras_vae import callbacks
from keras_vae import metrics
from keras_vae import schedules
from keras_vae import visualization
from recipes import harness
from recipes import optimizers
from recipes import settings
from recipes.data import mean_logits

MNIST = {
    "data": "mnist",
    "validation_fraction": 0.01,
    "batch_size": 256,
    "epochs": 50,
    "learning_rate": 2e-3,
    "latent_dims": (64, 32, 16, 8, 4),
    "units": (512, 256, 128, 64, 32),
}
PRESETS = {
    "default": {},
    "mnist": MNIST,
    "omniglot": {**MNIST, "data": "omniglot", "validation_fraction": 0.05},
}
SMOKE = {
    "epochs": 2,
    "latent_dims": (4, 2),
    "units": (16, 8),
    "nll_samples": 10,
    "num_test": 50,
}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of all hierarchies.

    Args:
        preset: What the other flags default to.
        latent_dims: Size of each level's latent variable, bottom first.
        units: Width of each level's networks, bottom first.
        learning_rate: Of the first step; halved, then divided by 5 and 20,
            after 60, 80 and 92 percent of the run.
        adam_epsilon: Of Adam, added to the root of the second moment.
        warm_up: Part of the epochs in which the weight of the KL terms rises
            from 0 to 1.
        free_bits: Nats of each level that cost nothing.
        fine_tune_epochs: Epochs of a second stage, on a bound with more
            samples.
        fine_tune_samples: Samples that it averages over.
        fine_tune_importance: Samples in each of its importance-weighted
            bounds.
        fine_tune_rate: Its first learning rate; it falls to 0.
        nll_samples: Importance samples for each test image.
        num_test: Test images whose NLL is estimated, a random part of them;
            default: all.
    """

    preset: str = "default"
    epochs: int = 60
    batch_size: int = 50
    latent_dims: tuple[int, ...] = (16, 8, 4)
    units: tuple[int, ...] = (64, 32, 16)
    learning_rate: float = 1e-3
    adam_epsilon: float = 1e-7
    warm_up: settings.Part = 0.2
    free_bits: float = 0.0
    fine_tune_epochs: settings.MayBeZero = 0
    fine_tune_samples: int = 1
    fine_tune_importance: int = 10
    fine_tune_rate: float = 2e-4
    nll_samples: int = 5000
    num_test: int | None = None


def network_arguments(config, data, batch_norm):
    """Arguments of `networks.mlp_hierarchy`."""
    return {
        "event_shape": data.event_shape,
        "latent_dims": config.latent_dims,
        "units": config.units,
        "batch_norm": batch_norm,
        "output_bias": mean_logits(data),
        "seed": config.seed,
    }


def warm_up(config, data):
    """The weight of the KL terms."""
    steps = round(config.warm_up * config.epochs * data.steps_per_epoch)
    return schedules.LinearWarmUp(steps) if steps else 1.0


def _adam(config, data):
    steps = config.epochs * data.steps_per_epoch
    rate = keras.optimizers.schedules.PiecewiseConstantDecay(
        [round(part * steps) for part in (0.6, 0.8, 0.92)],
        [config.learning_rate / divisor for divisor in (1, 2, 5, 20)],
    )
    return keras.optimizers.Adam(rate, epsilon=config.adam_epsilon)


def _fine_tuning_adam(config, data):
    return optimizers.adam(
        config.fine_tune_rate,
        config.fine_tune_epochs,
        data,
        epsilon=config.adam_epsilon,
    )


def train(recipe, config, build, paper):
    """Trains, fine-tunes if asked to, measures and exports.

    Args:
        recipe: str, the name of the module in `recipes`.
        config: `Config`.
        build: callable, from the config and `harness.Data` to a model that is
            not compiled.
        paper: dict of name to number, for `Run.finish`.
    """
    with harness.Run(recipe, config) as run:
        # A last batch of a few images would spoil the statistics of batch
        # normalisation at the end of every epoch.
        data = run.load("dynamic", drop_remainder=True)
        counting = callbacks.UnitsPerLevel(
            data.examples(1000)[0], every=max(1, config.epochs // 50)
        )
        with run.strategy.scope():
            model = build(config, data)
            run.compile(model, _adam(config, data), data)
        # The weight of the KL is 1 at the end only: no epoch before is best.
        model = run.fit(
            model, data, monitor=None, extra=[counting], stage="train"
        )
        numbers = {}
        if config.fine_tune_epochs:
            if run.chief:
                numbers["test_nll_before"] = mean_nll(config, model, data)
            model = _fine_tune(config, run, model, data)
        if not run.chief:
            return
        _draw(config, run, model, data)
        run.finish(
            model,
            evaluate(config, model, data) | numbers,
            paper,
            "The paper trained for 2000 epochs.",
        )


def _fine_tune(config, run, model, data):
    with run.strategy.scope():
        model = model.with_arguments(
            beta=1.0,
            free_bits=0.0,
            num_samples=config.fine_tune_samples,
            num_importance_samples=config.fine_tune_importance,
        )
        run.compile(model, _fine_tuning_adam(config, data), data)
    return run.fit(
        model,
        data,
        monitor=None,
        stage="fine_tune",
        epochs=config.fine_tune_epochs,
    )


def mean_nll(config, model, data):
    """Mean importance-weighted bound of test images, its sign changed."""
    x, _ = data.examples(config.num_test)
    return -float(np.mean(model.log_likelihood(x, config.nll_samples)))


def evaluate(config, model, data):
    """Numbers of the test images, by name."""
    numbers = {"test_nll": mean_nll(config, model, data)}
    everything, _ = data.examples()
    terms = model.elbo_levels(everything)
    numbers["test_neg_elbo"] = float(sum(terms.values()).mean())
    rows = metrics.units_by_level(model, everything)
    numbers["active_units"] = sum(row.active_kl for row in rows)
    for row in rows:
        numbers[f"kl_{row.level}"] = row.kl
        numbers[f"active_units_{row.level}"] = row.active_kl
        numbers[f"active_units_variance_{row.level}"] = row.active_variance
    numbers["nll_samples"] = config.nll_samples
    numbers["num_test"] = len(data.examples(config.num_test)[0])
    return numbers


def _draw(config, run, model, data):
    x, labels = data.examples(2000)
    figures = {
        "units_over_epochs": visualization.plot_units_over_epochs(
            run.histories["train"]
        ),
        "reconstructions": visualization.plot_reconstructions(model, x[:20]),
        "samples": visualization.plot_samples(model, seed=config.seed),
        "resampled_levels": visualization.plot_resampled_levels(model, x[0]),
        "level_maps": visualization.plot_level_maps(model, x, labels),
    }
    for stage in run.histories:
        figures[f"loss_curves_{stage}"] = run.draw_history(stage)
    for name, figure in figures.items():
        run.save_figure(name, figure)
