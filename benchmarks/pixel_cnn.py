"""A PixelCNN of plain Keras layers: the baseline of a prior over codes.

    python -m benchmarks.pixel_cnn CODES.npz --epochs 30

The network and its settings are those of the VQ-VAE example of keras.io (Saha,
2021, after van den Oord et al., 2016), in words of its own: codes as one-hot
channels, a masked convolution of size 7, two residual blocks, two masked
convolutions of size 1, 128 filters; Adam 3e-4, batches of 128. It uses nothing
of keras_vae. The file holds `x_train` and `x_test`, integers (count, height,
width). After each epoch it prints nats per code and the processor seconds, of
all threads, spent on training, evaluation left out.
"""

import dataclasses
import time
from typing import Annotated

import keras
import numpy as np
import tyro

from benchmarks import report
from recipes.environment import environment


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        codes: The .npz file of codes.
        num_embeddings: Size of the codebook; default: the largest code and
            one.
        epochs: Passes over the training codes, at most.
        seconds: Training ends with the step that reaches this processor
            time, which other jobs do not change; default: no limit.
        filters: Filters of the convolutions.
        batch_size: Examples in a batch.
        learning_rate: Adam's.
        seed: Of initial weights and order.
        out: The JSON file.
    """

    codes: Annotated[str, tyro.conf.Positional]
    num_embeddings: int | None = None
    epochs: int = 30
    seconds: float | None = None
    filters: int = 128
    batch_size: int = 128
    learning_rate: float = 3e-4
    seed: int = 0
    out: str = "runs/pixel_cnn.json"


class MaskedConv2D(keras.layers.Conv2D):
    """Convolution that sees rows above, and what is left in its own row.

    Args:
        sees_itself: bool, whether the position itself is seen too: all layers
            but the first (in the paper, masks B and A).
        **kwargs: arguments of `keras.layers.Conv2D`.
    """

    def __init__(self, filters, kernel_size, sees_itself, **kwargs):
        super().__init__(filters, kernel_size, padding="same", **kwargs)
        self.sees_itself = sees_itself

    def call(self, inputs):
        height, width = self.kernel_size
        mask = np.zeros((height, width, 1, 1), "float32")
        mask[: height // 2] = 1
        mask[height // 2, : width // 2 + self.sees_itself] = 1
        outputs = keras.ops.conv(inputs, self.kernel * mask, padding="same")
        return self.activation(outputs + self.bias)


def build(shape, num_embeddings, filters=128):
    """The network: codes (batch, *shape) to logits, one axis more."""

    def convolution(filters, size, masked=None):
        if masked is None:
            return keras.layers.Conv2D(filters, size, activation="relu")
        return MaskedConv2D(filters, size, masked == "B", activation="relu")

    inputs = keras.Input(shape, dtype="int32")
    x = keras.ops.one_hot(inputs, num_embeddings)
    x = convolution(filters, 7, "A")(x)
    for _ in range(2):
        y = convolution(filters, 1)(x)
        y = convolution(filters // 2, 3, "B")(y)
        y = convolution(filters, 1)(y)
        x = keras.layers.Add()([x, y])
    for _ in range(2):
        x = convolution(filters, 1, "B")(x)
    logits = keras.layers.Conv2D(num_embeddings, 1)(x)
    return keras.Model(inputs, logits)


class Stopwatch(keras.callbacks.Callback):
    """Ends training when its processor seconds are spent."""

    def __init__(self, limit):
        super().__init__()
        self.limit = np.inf if limit is None else limit
        self.seconds = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.process_time() - self.seconds

    def on_train_batch_end(self, batch, logs=None):
        self.seconds = time.process_time() - self._started
        self.model.stop_training = self.over

    @property
    def over(self):
        return self.seconds >= self.limit


def main(config):
    """Returns the rows of the table, one an epoch."""
    surroundings = environment()
    keras.utils.set_random_seed(config.seed)
    with np.load(config.codes) as file:
        x_train, x_test = file["x_train"], file["x_test"]
    num_embeddings = config.num_embeddings
    if num_embeddings is None:
        num_embeddings = int(max(x_train.max(), x_test.max())) + 1
    model = build(x_train.shape[1:], num_embeddings, config.filters)
    model.compile(
        keras.optimizers.Adam(config.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    stopwatch = Stopwatch(config.seconds)
    rows = []
    for epoch in range(1, config.epochs + 1):
        history = model.fit(
            x_train,
            x_train,
            batch_size=config.batch_size,
            callbacks=[stopwatch],
            verbose=0,
        )
        test = model.evaluate(x_test, x_test, config.batch_size, verbose=0)
        rows.append(
            {
                "epoch": epoch,
                "seconds": round(stopwatch.seconds, 1),
                "train nats/code": round(history.history["loss"][0], 4),
                "test nats/code": round(test, 4),
            }
        )
        print(
            *(f"{name} {value}" for name, value in rows[-1].items()), sep=", "
        )
        if stopwatch.over:
            break
    print()
    report.publish(
        rows,
        {
            "config": dataclasses.asdict(config),
            "num_embeddings": num_embeddings,
            "parameters": model.count_params(),
            "table": rows,
            **surroundings,
        },
        config.out,
    )
    return rows


if __name__ == "__main__":
    main(
        tyro.cli(
            Config,
            description=__doc__,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    )
