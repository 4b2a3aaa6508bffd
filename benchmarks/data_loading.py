"""Examples per second of the input pipeline, alone.

    python -m benchmarks.data_loading

The library permutes indices and gathers whole batches. The pipeline that is
often written shuffles examples: `from_tensor_slices(x).shuffle(n).batch(b)`.
Both yield the same float32 batches of images of MNIST's shape, and are drained
in one compiled loop. The dense VAE's `fit`, with the first of them, says what a
training step needs.
"""

import dataclasses

import tensorflow as tf

from benchmarks import report
from benchmarks import turns
from benchmarks.subjects.vae import DenseVAE
from benchmarks.train_throughput import Fit
from benchmarks.train_throughput import endless

OURS, SLICES, FIT = "keras_vae.datasets", "from_tensor_slices", "fit"
STEPS_PER_CALL = 25


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        examples: Images of an epoch.
        batch_size: Images in a batch.
        rounds: Times that each runs, after one that is not timed.
        epochs: Passes over the images in one turn.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    examples: int = 60_000
    batch_size: int = 128
    rounds: int = 5
    epochs: int = 1
    out: str = "runs/data_loading.json"
    smoke: bool = False


SMOKE = {"examples": 100, "batch_size": 10, "rounds": 1}


def drained(batches):
    """Callable from a number of epochs to (seconds, mean of the pixels)."""

    @tf.function
    def mean():
        total = batches.reduce(0.0, lambda sum_, x: sum_ + tf.reduce_mean(x))
        return total / tf.cast(batches.cardinality(), "float32")

    def drain(epochs):
        for _ in range(epochs):
            value = float(mean())
        return value

    return turns.timed(drain)


def from_slices(x, batch_size):
    """The pipeline that is often written."""

    def in_unit_range(images):
        return tf.cast(images, "float32")

    return (
        tf.data.Dataset.from_tensor_slices(x)
        .shuffle(len(x))
        .batch(batch_size)
        .map(in_unit_range, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def main(config):
    """Returns whether the pipeline is faster than the step that it feeds."""
    subject = DenseVAE()
    arrays = subject.arrays(config.examples)
    splits = endless(arrays, config.batch_size, STEPS_PER_CALL)
    epoch = splits.train.take(splits.steps_per_epoch)
    arrays = dataclasses.replace(
        arrays, x_train=arrays.x_train[: splits.sizes["train"]]
    )
    contenders = {
        OURS: drained(epoch),
        SLICES: drained(from_slices(arrays.x_train, config.batch_size)),
        FIT: Fit(subject, splits, STEPS_PER_CALL),
    }
    examples = config.epochs * splits.sizes["train"]
    rates, means = turns.take_turns(
        contenders, config.rounds, config.epochs, examples
    )
    return report.finish(
        config,
        turns.table(rates, means, OURS),
        config.out,
        [
            report.goal(
                "pipeline / what the dense VAE's training needs",
                turns.ratio(rates, OURS, FIT),
                at_least=1.0,
            )
        ],
        examples_per_second=rates,
    )


if __name__ == "__main__":
    raise SystemExit(int(not main(report.settings(Config, SMOKE, __doc__))))
