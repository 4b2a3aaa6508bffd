"""Makhzani, Frey, 2014, k-Sparse Autoencoders.

    python -m recipes.k_sparse_ae_makhzani2014

trains k-sparse autoencoders with four values of k on 8x8 handwritten digits,
in a minute or two on two cores. On MNIST, 50000 images to train on and 10000 to
test,

    python -m recipes.k_sparse_ae_makhzani2014 --preset mnist --k 25

has 1000 linear units and tied weights; k falls from 100 to its value over the
first half of the epochs, so that fewer units die. Its codes, the 3 k largest
units of each, are classified by logistic regression. Without --k there are all
of the paper's figure 1, k = 70, 40, 25, 10, one after the other, and their
filters side by side.

Table 1 of the paper, errors in percent: k = 40 1.54, k = 25 1.35, k = 10 2.10,
pixels 7.20. What differs: Adam with a falling learning rate for a small part of
the paper's 5000 epochs of gradient descent, and the mean image is subtracted
from the input.
"""

import dataclasses
from typing import Literal

import keras
import numpy as np

import keras_vae
from keras_vae import evaluation
from keras_vae import layers
from keras_vae import schedules
from keras_vae import visualization
from recipes import harness
from recipes import optimizers
from recipes.probe import check_labels
from recipes.probe import probe

# Errors in percent on MNIST, table 1.
TABLE_1 = {40: 1.54, 25: 1.35, 10: 2.10}
PIXELS = 7.20

PRESETS = {
    "default": {},
    "mnist": {
        "data": "mnist",
        "validation_fraction": 1 / 6,
        "batch_size": 128,
        "units": 1000,
        "k": (70, 40, 25, 10),
        "first_k": 100,
        "alphas": (3.0,),
        "epochs": 40,
    },
    "paper": {
        "data": "mnist",
        "validation_fraction": 1 / 6,
        "batch_size": 128,
        "units": 1000,
        "k": (70, 40, 25, 10),
        "first_k": 100,
        "alphas": (1.0, 2.0, 3.0),
        "epochs": 5000,
    },
}
SMOKE = {
    "epochs": 2,
    "units": 12,
    "k": (4, 2),
    "first_k": 8,
    "alphas": (1.0, 2.0),
    "probe_iterations": 5,
}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        epochs: Passes over the training images, for each k.
        units: Of the hidden layer.
        k: One model is trained for each.
        first_k: Where k begins; it falls over the first half of the epochs.
        alphas: The codes are alpha k units; validation images choose.
        learning_rate: Of the first step; it falls to 0.
        probe_iterations: Of L-BFGS, at most, in each logistic regression.
    """

    preset: Literal["default", "mnist", "paper"] = "default"
    epochs: int = 60
    batch_size: int = 50
    units: int = 100
    k: tuple[int, ...] = (16, 8, 4, 2)
    first_k: int = 40
    alphas: tuple[float, ...] = (1.0, 2.0, 3.0)
    learning_rate: float = 1e-3
    probe_iterations: int = 100


def check(config):
    """Raises a ValueError if there is nothing to train or to choose from."""
    for name in ("k", "alphas"):
        if not getattr(config, name):
            raise ValueError(
                f"`{name}` must be at least one number. Received: {name}=()"
            )


def build(config, data, k):
    """The model of one k, a number or a schedule, not compiled."""
    event_shape = data.event_shape
    mean = keras.initializers.Constant(data.mean.ravel().astype("float32"))
    # With the mean image in the input, which all units share, a quarter of
    # them is hardly ever among the largest.
    centre = keras.layers.Normalization(
        axis=(1, 2, 3), mean=data.mean, variance=np.ones(event_shape)
    )
    # Equal first weights for all k.
    code = keras.layers.Dense(
        config.units,
        kernel_initializer=keras.initializers.GlorotUniform(config.seed),
        name="code",
    )
    encoder = keras.Sequential(
        [keras.Input(event_shape), centre, keras.layers.Flatten(), code],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((config.units,)),
            layers.TiedDense(code, bias_initializer=mean),
            keras.layers.Reshape(event_shape),
        ],
        name="decoder",
    )
    return keras_vae.KSparseAutoencoder(
        encoder, decoder, k=k, inference_alpha=1.0, seed=config.seed
    )


def schedule(config, data, k):
    """k falls along a line over the first half of the run."""
    half = max(1, config.epochs * data.steps_per_epoch // 2)
    return schedules.LinearWarmUp(half, max(k, config.first_k), k)


# === Stages ===


def train_one(config, run, data, k):
    """The model of the last epoch."""
    with run.strategy.scope():
        model = build(config, data, schedule(config, data, k))
        adam = optimizers.adam(config.learning_rate, config.epochs, data)
        run.compile(model, adam, data)
    # Not the epoch that reconstructed best: that was one of a larger k.
    return run.fit(model, data, monitor=None, stage=f"k{k}")


def with_alpha(model, k, alpha):
    """The same networks, for codes of alpha k units."""
    chosen = keras_vae.KSparseAutoencoder(
        model.encoder, model.decoder, k=k, inference_alpha=alpha
    )
    chosen.build((None, *model.event_shape))
    return chosen


# === Results ===


def choose_alpha(config, arrays, model, k):
    """Of the best alpha: validation error, test error, model."""
    best = None
    for alpha in config.alphas:
        candidate = with_alpha(model, k, alpha)
        result = probe(
            config,
            arrays,
            lambda x: evaluation.encode_in_batches(candidate, x),
        )
        error = min(result.validation_errors.values())
        if best is None or error < best[0]:
            best = error, result.error, candidate
    return best


def evaluate(config, arrays, models):
    """Models of the chosen alpha by k, the best k, numbers of test images."""
    chosen, numbers, validation = {}, {}, {}
    pixels = probe(config, arrays, lambda x: x)
    numbers["pixels_error"] = pixels.error
    x = arrays.x_test
    for k, model in models.items():
        validation[k], error, chosen[k] = choose_alpha(config, arrays, model, k)
        statistics = evaluation.sparsity_statistics(chosen[k], x)
        reconstructions = with_alpha(model, k, 1.0).predict(
            x, batch_size=1000, verbose=0
        )
        numbers |= {
            f"k{k}_error": error,
            f"k{k}_alpha": chosen[k].inference_alpha,
            f"k{k}_dead_units": statistics.dead_units,
            f"k{k}_squared_error": evaluation.squared_error(x, reconstructions),
        }
    return chosen, min(validation, key=validation.get), numbers


def draw(run, models, data):
    """Filters of all k side by side, and what each was trained to."""
    filters = {}
    for k, model in models.items():
        kernel = np.asarray(model.encoder.get_layer("code").kernel)
        order = np.argsort(-np.linalg.norm(kernel, axis=0))
        # From all of them: the largest alone are those of rare pixels.
        shown = order[np.linspace(0, len(order) - 1, 12).astype(int)]
        kernel = kernel[:, shown] / np.abs(kernel[:, shown]).max(axis=0)
        filters[f"k = {k}"] = (0.5 + 0.5 * kernel.T).reshape(
            -1, *data.event_shape
        )
        run.save_figure(
            f"filters_k{k}", visualization.plot_filters(model, title=f"k = {k}")
        )
        run.save_figure(
            f"reconstructions_k{k}",
            visualization.plot_reconstructions(model, data.examples(20)[0]),
        )
        run.save_figure(f"loss_curves_k{k}", run.draw_history(f"k{k}"))
    run.save_figure("filters", visualization.plot_rows(filters))


def train(config):
    check(config)
    with harness.Run("k_sparse_ae_makhzani2014", config) as run:
        arrays = run.arrays().as_float32()
        check_labels(config, arrays)
        data = run.load()
        models = {k: train_one(config, run, data, k) for k in config.k}
        if not run.chief:
            return
        chosen, best, numbers = evaluate(config, arrays, models)
        draw(run, chosen, data)
        paper = {}
        if config.data == "mnist" and config.units == 1000:
            paper = {f"k{k}_error": TABLE_1[k] for k in TABLE_1 if k in chosen}
            paper["pixels_error"] = PIXELS
        run.finish(
            chosen[best],
            numbers,
            paper,
            "Errors of logistic regression, in percent of the test images; "
            f"the exported model is that of k = {best}, the best on "
            "validation images.",
        )


def main(argv=None):
    harness.command_line(
        "k_sparse_ae_makhzani2014", train, Config, PRESETS, SMOKE, argv
    )


if __name__ == "__main__":
    main()
