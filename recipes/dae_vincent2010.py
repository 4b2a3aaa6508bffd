"""Vincent et al., 2010, Stacked Denoising Autoencoders.

    python -m recipes.dae_vincent2010

trains two layers of denoising autoencoders on 8x8 handwritten digits, one upon
the other, and fine-tunes them as a classifier. On MNIST, 50000 images to train
on, 10000 to choose the best epochs and 10000 to test:

    python -m recipes.dae_vincent2010 --preset mnist

is one layer of 1000 sigmoid units with tied weights and 20 % masking, whose
clean codes are then classified by logistic regression (1.95 % error in
Makhzani, Frey, 2014, table 1), and

    python -m recipes.dae_vincent2010 --preset mnist_stacked

three such layers, fine-tuned with a layer of logits (1.28 % in the paper's
table 3). What differs from the paper: Adam with a falling learning rate in the
place of plain gradient descent, and noise at the input while fine-tuning.
"""

import dataclasses
from typing import Literal

import keras
import numpy as np

import keras_vae
from keras_vae import evaluation
from keras_vae import layers
from keras_vae import stacking
from keras_vae import visualization
from recipes import harness
from recipes import optimizers
from recipes import settings
from recipes.probe import check_labels
from recipes.probe import probe
from recipes.save_best import load_best

NOISE = {
    "masking": layers.MaskingNoise,
    "salt_and_pepper": layers.SaltAndPepperNoise,
    "gaussian": layers.AdditiveGaussianNoise,
}

# Errors in percent on MNIST. Logistic regression on pixels and on the codes of
# one layer: Makhzani, Frey, 2014, table 1; three layers: table 3 of the paper.
PIXELS, ONE_LAYER, THREE_LAYERS = 7.20, 1.95, 1.28

_MNIST = {
    "data": "mnist",
    "validation_fraction": 1 / 6,
    "batch_size": 128,
    "fine_tuning_rate": 1e-3,
    "fine_tuning_noise": 0.2,
}
PRESETS = {
    "default": {},
    "mnist": {
        **_MNIST,
        "units": (1000,),
        "noise_levels": (0.2,),
        "epochs": 100,
        "fine_tuning_epochs": 0,
    },
    "mnist_stacked": {
        **_MNIST,
        "units": (1000, 1000, 1000),
        "noise_levels": (0.25, 0.25, 0.25),
        "epochs": 15,
        "fine_tuning_epochs": 30,
    },
    "paper": {
        **_MNIST,
        "units": (2000, 2000, 2000),
        "noise_levels": (0.25, 0.25, 0.25),
        "epochs": 100,
        "fine_tuning_epochs": 100,
    },
}
SMOKE = {
    "epochs": 2,
    "fine_tuning_epochs": 2,
    "units": (12, 8),
    "noise_levels": (0.2, 0.2),
    "probe_iterations": 5,
}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        epochs: Passes over the training images, for each layer.
        units: Width of each layer, the lowest first.
        noise: Kind of corruption of every layer.
        noise_levels: Of each layer: the rate, or the standard deviation of
            gaussian noise.
        corrupted_weight: Emphasis on corrupted dimensions.
        clean_weight: Emphasis on the others.
        learning_rate: Of the first step of each layer; it falls to 0.
        fine_tuning_epochs: Of the classifier; 0: none.
        fine_tuning_rate: Its first learning rate; it falls to 0.
        fine_tuning_noise: Its masking noise at the input.
        probe_iterations: Of L-BFGS, at most, in each logistic regression.
    """

    preset: Literal["default", "mnist", "mnist_stacked", "paper"] = "default"
    epochs: int = 100
    batch_size: int = 50
    units: tuple[int, ...] = (200, 200)
    noise: Literal["masking", "salt_and_pepper", "gaussian"] = "masking"
    noise_levels: tuple[float, ...] = (0.2, 0.2)
    corrupted_weight: float = 1.0
    clean_weight: float = 1.0
    learning_rate: float = 3e-3
    fine_tuning_epochs: settings.MayBeZero = 50
    fine_tuning_rate: float = 1e-2
    fine_tuning_noise: float = 0.1
    probe_iterations: int = 100


def build(config, event_shape):
    """The autoencoders, the lowest first, not compiled."""
    if len(config.noise_levels) != len(config.units):
        raise ValueError(
            "`noise_levels` must have a number for each layer. Received: "
            f"noise_levels={config.noise_levels}, units={config.units}"
        )
    stack = []
    for index, units in enumerate(config.units):
        # Sigmoid units, so that codes are what "bernoulli" takes above.
        code = keras.layers.Dense(units, "sigmoid", name=f"code_{index + 1}")
        encoder = keras.Sequential(
            [keras.Input(event_shape), keras.layers.Flatten(), code]
        )
        decoder = keras.Sequential(
            [
                keras.Input((units,)),
                layers.TiedDense(code),
                keras.layers.Reshape(event_shape),
            ]
        )
        stack.append(
            keras_vae.DenoisingAutoencoder(
                encoder,
                decoder,
                "bernoulli",
                NOISE[config.noise](config.noise_levels[index]),
                config.corrupted_weight,
                config.clean_weight,
                seed=config.seed + index,
            )
        )
        event_shape = (units,)
    return stack


# === Stages ===


def pretrain(config, run, arrays):
    """The autoencoders, each trained on the clean codes of the one below."""
    with run.strategy.scope():
        stack = build(config, arrays.x_train.shape[1:])
    x_test = [arrays.x_test]

    def fit(index, model, x, validation):
        data = run.data_of(x, validation, x_test[-1], arrays.y_test)
        with run.strategy.scope():
            adam = optimizers.adam(config.learning_rate, config.epochs, data)
            run.compile(model, adam, data)
        stage = stage_name(index)
        best = run.fit(model, data, "val_reconstruction_loss", stage=stage)
        x_test.append(evaluation.encode_in_batches(best, x_test[-1]))
        return best

    return stacking.pretrain(
        stack, arrays.x_train, arrays.x_validation, fit=fit
    )


def stage_name(index):
    return f"layer{index + 1}"


def fine_tune(config, run, arrays):
    """The classifier of the best epoch."""
    data = run.load(with_labels=True)
    with run.strategy.scope():
        # Read again: fine-tuning changes the layers of its stack.
        stack = [
            load_best(run.path / stage_name(i) / "best.keras")
            for i in range(len(config.units))
        ]
        noise = layers.MaskingNoise(config.fine_tuning_noise, config.seed)
        classes = int(arrays.y_train.max()) + 1
        model = stacking.classifier(stack, classes, noise)
        epochs = config.fine_tuning_epochs
        run.compile(
            model,
            optimizers.adam(config.fine_tuning_rate, epochs, data),
            data,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[error],
        )
    return run.fit(model, data, "val_error", stage="classifier", epochs=epochs)


@keras.saving.register_keras_serializable(package="recipes")
def error(labels, logits):
    """100 where the largest logit is not the label's, else 0."""
    labels = keras.ops.cast(keras.ops.reshape(labels, [-1]), "int32")
    predicted = keras.ops.cast(keras.ops.argmax(logits, axis=-1), "int32")
    return 100.0 * keras.ops.cast(predicted != labels, "float32")


# === Results ===


def evaluate(config, arrays, stack, deep, classifier):
    """Numbers of the test images, by name."""
    numbers, x = {}, arrays.x_test
    for index, model in enumerate(stack):
        logs = model.evaluate(x, batch_size=1000, verbose=0, return_dict=True)
        name = f"test_reconstruction_loss_{stage_name(index)}"
        numbers[name] = logs["reconstruction_loss"]
        x = evaluation.encode_in_batches(model, x)
    numbers["pixels_error"] = probe(config, arrays, lambda x: x).error
    numbers["logistic_regression_error"] = probe(
        config, arrays, lambda x: evaluation.encode_in_batches(deep, x)
    ).error
    if classifier is not None:
        logits = classifier.predict(arrays.x_test, batch_size=1000, verbose=0)
        numbers["fine_tuned_error"] = float(
            np.mean(error(arrays.y_test, logits))
        )
    return numbers


def draw(run, stack, deep, x):
    """The lowest layer, the whole stack, and how both were trained."""
    figures = {
        "filters": visualization.plot_filters(stack[0]),
        "corrupted_reconstructions": (
            visualization.plot_corrupted_reconstructions(stack[0], x[:10])
        ),
        "reconstructions": visualization.plot_reconstructions(deep, x[:20]),
    }
    for stage in run.histories:
        figures[f"loss_curves_{stage}"] = run.draw_history(stage)
    for name, figure in figures.items():
        run.save_figure(name, figure)


def train(config):
    with harness.Run("dae_vincent2010", config) as run:
        arrays = run.arrays().as_float32()
        check_labels(config, arrays)
        stack = pretrain(config, run, arrays)
        classifier = None
        if config.fine_tuning_epochs:
            classifier = fine_tune(config, run, arrays)
        if not run.chief:
            return
        deep = keras_vae.Autoencoder(
            *stacking.unroll(stack), likelihood=stack[0].likelihood
        )
        deep.build((None, *arrays.x_test.shape[1:]))
        draw(run, stack, deep, run.load().examples(20)[0])
        paper = {}
        if config.data == "mnist":
            paper["pixels_error"] = PIXELS
            if len(config.units) == 1:
                paper["logistic_regression_error"] = ONE_LAYER
            if classifier is not None and len(config.units) == 3:
                paper["fine_tuned_error"] = THREE_LAYERS
        run.finish(
            deep,
            evaluate(config, arrays, stack, deep, classifier),
            paper,
            "Errors in percent of the test images; the exported model is the "
            "deep autoencoder, before fine-tuning.",
        )


def main(argv=None):
    harness.command_line("dae_vincent2010", train, Config, PRESETS, SMOKE, argv)


if __name__ == "__main__":
    main()
