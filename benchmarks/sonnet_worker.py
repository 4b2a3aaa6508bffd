"""Sonnet's VQ-VAE of 32x32 colour images, in a process of its own.

    PYTHON sonnet_worker.py IMAGES.npy BATCH_SIZE < orders

trains with the layers, sizes and optimizer of Sonnet's example whenever a
line with a number of steps comes in, and answers with one line of JSON: the
seconds, and the loss of the last step. Nothing of this project is imported:
PYTHON may be of another environment. The first line of the answer holds the
versions.
"""

import json
import sys
import time
from importlib import metadata

import numpy as np
import sonnet as snt
import tensorflow as tf

FILTERS, RESIDUAL_FILTERS, RESIDUAL_LAYERS = 128, 32, 2
CODES, CODE_DIM = 512, 64
COMMITMENT, DECAY = 0.25, 0.99
LEARNING_RATE = 3e-4


class ResidualStack(snt.Module):
    def __init__(self):
        super().__init__()
        self._layers = [
            (snt.Conv2D(RESIDUAL_FILTERS, 3), snt.Conv2D(FILTERS, 1))
            for _ in range(RESIDUAL_LAYERS)
        ]

    def __call__(self, x):
        for wide, narrow in self._layers:
            x += narrow(tf.nn.relu(wide(tf.nn.relu(x))))
        return tf.nn.relu(x)


class Model(snt.Module):
    def __init__(self):
        super().__init__()
        self._encoder = snt.Sequential(
            [
                snt.Conv2D(FILTERS // 2, 4, 2),
                tf.nn.relu,
                snt.Conv2D(FILTERS, 4, 2),
                tf.nn.relu,
                snt.Conv2D(FILTERS, 3),
                ResidualStack(),
                snt.Conv2D(CODE_DIM, 1),
            ]
        )
        self._quantizer = snt.nets.VectorQuantizerEMA(
            CODE_DIM, CODES, COMMITMENT, DECAY
        )
        self._decoder = snt.Sequential(
            [
                snt.Conv2D(FILTERS, 3),
                ResidualStack(),
                snt.Conv2DTranspose(FILTERS // 2, 4, stride=2),
                tf.nn.relu,
                snt.Conv2DTranspose(3, 4, stride=2),
            ]
        )

    def __call__(self, x, variance):
        quantized = self._quantizer(self._encoder(x), is_training=True)
        error = tf.reduce_mean(
            tf.square(self._decoder(quantized["quantize"]) - x)
        )
        return error / variance + quantized["loss"]


class Trainer:
    def __init__(self, images, batch_size):
        self._model = Model()
        self._optimizer = snt.optimizers.Adam(LEARNING_RATE)
        self._variance = np.var(images)
        self._batches = iter(
            tf.data.Dataset.from_tensor_slices(images)
            .shuffle(len(images))
            .repeat()
            .batch(batch_size)
            .prefetch(-1)
        )

    @tf.function
    def _step(self, x):
        with tf.GradientTape() as tape:
            loss = self._model(x, self._variance)
        variables = self._model.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def train(self, steps):
        for _ in range(steps):
            loss = self._step(next(self._batches))
        return float(loss)


def main(path, batch_size):
    images = np.load(path).astype("float32") / 255.0 - 0.5
    trainer = Trainer(images, int(batch_size))
    packages = ("dm-sonnet", "tensorflow")
    versions = {f"peer's {name}": metadata.version(name) for name in packages}
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        loss = trainer.train(int(line))
        answer = {"seconds": time.perf_counter() - started, "loss": loss}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
