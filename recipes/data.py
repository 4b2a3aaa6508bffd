"""What a run trains and tests on."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_vae import datasets


@dataclasses.dataclass(frozen=True)
class Data:
    """What a run trains and tests on.

    Args:
        train: Callable from an epoch to the endless batches from it on.
        steps_per_epoch: Batches in one epoch.
        validation: `tf.data.Dataset` of batches, or None.
        x_test: Array of test examples, or dict of them, in the order of the
            source.
        y_test: Their labels, or None.
        mean: Mean training image, or None.
    """

    train: Callable[[int], tf.data.Dataset]
    steps_per_epoch: int
    validation: tf.data.Dataset | None
    x_test: np.ndarray
    y_test: np.ndarray | None = None
    mean: np.ndarray | None = None

    @property
    def event_shape(self):
        """Shape of one example, of the first array of a dict."""
        return tf.nest.flatten(self.x_test)[0].shape[1:]

    def examples(self, num=None):
        """Test examples and their labels, in an order that mixes classes."""
        order = np.random.default_rng(0).permutation(len(self.x_test))[:num]
        labels = None if self.y_test is None else self.y_test[order]
        return self.x_test[order], labels

    @classmethod
    def of(
        cls,
        arrays,
        batch_size,
        seed,
        binarize=None,
        with_labels=False,
        drop_remainder=False,
    ):
        """Data of `datasets.Arrays`, see `datasets.from_arrays`."""

        def splits(**kwargs):
            return datasets.from_arrays(
                arrays,
                with_labels,
                batch_size,
                binarize,
                seed,
                drop_remainder=drop_remainder,
                **kwargs,
            )

        first = splits()
        return cls(
            lambda epoch: splits(repeat=True, start_epoch=epoch).train,
            first.steps_per_epoch,
            first.validation,
            inputs(first.test),
            arrays.y_test,
            None
            if isinstance(arrays.x_train, dict)
            else arrays.x_train.mean(0, dtype="float64") / arrays.pixel_max,
        )


def grey_levels(config):
    """Values of a pixel in the files: those of the settings, or of the set."""
    if config.num_levels is not None:
        return config.num_levels
    return 17 if config.data == "digits" else 256


def mean_logits(data):
    """Logits of the mean training image, finite: a decoder's first bias."""
    mean = np.clip(data.mean, 0.001, 0.999)
    return np.log(mean / (1.0 - mean))


def steps_at_once(data, most):
    """Steps for one call, up to `most`: Keras rounds epochs up to whole calls.

    Args:
        data: with `steps_per_epoch`.
        most: int.
    """
    return max(
        steps
        for steps in range(1, most + 1)
        if data.steps_per_epoch % steps == 0
    )


def inputs(batches):
    """The inputs of a data set, without labels, as one array."""
    parts = [
        batch[0] if isinstance(batch, tuple) else batch
        for batch in batches.as_numpy_iterator()
    ]
    return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
