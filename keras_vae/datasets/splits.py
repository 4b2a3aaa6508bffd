import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
    """Training, validation and test pipelines of one image set.

    Args:
        train: `tf.data.Dataset` of shuffled batches. Each iteration is the
            next epoch, a look at the first batch, as `fit` takes one, too.
        validation: `tf.data.Dataset` of batches in a fixed order; None where
            no example was set aside.
        test: `tf.data.Dataset` of batches in the order of the source.
        event_shape: (height, width, channels) of one image.
        steps_per_epoch: Training batches in one epoch.
        sizes: Number of examples by split name.

    Example:
    >>> splits = keras_vae.datasets.load("digits", batch_size=100)
    >>> splits.event_shape, splits.steps_per_epoch
    ((8, 8, 1), 13)
    """

    train: tf.data.Dataset
    validation: tf.data.Dataset | None
    test: tf.data.Dataset
    event_shape: tuple[int, ...]
    steps_per_epoch: int
    sizes: dict[str, int]
