"""What is measured: a model of the library, and the same by hand."""

import dataclasses
import types

import keras
import numpy as np

from keras_vae import datasets


class Subject:
    """A model of the library and a hand-written objective of the same.

    A subclass must set `defaults` and override `model` and `objective`; it
    may override `optimizer` and `arrays`.

    Args:
        event_shape: None, or shape of one example.
        **sizes: fields of `defaults` with other values.

    Attributes:
        sizes: dataclass with `batch_size` and `learning_rate` at least, such
            as the settings of a recipe.
    """

    defaults = None
    event_shape = (28, 28, 1)
    #: Training examples of one epoch, of about a second on two cores.
    examples = 60_000

    def __init__(self, event_shape=None, **sizes):
        self.sizes = dataclasses.replace(self.defaults, **sizes)
        self.event_shape = tuple(event_shape or self.event_shape)

    def model(self):
        """The library's model, not compiled."""
        raise NotImplementedError

    def objective(self):
        """The same by hand: a `by_hand.Objective`."""
        raise NotImplementedError

    def optimizer(self):
        """A new optimizer, for both."""
        return keras.optimizers.Adam(self.sizes.learning_rate)

    def arrays(self, num):
        """`datasets.Arrays` of `num` training examples: binary noise."""
        rng = np.random.default_rng(0)
        return training(rng.integers(0, 2, (num, *self.event_shape), "uint8"))

    def data(self):
        """What the recipes' `build` functions want to know of their data."""
        return types.SimpleNamespace(
            event_shape=self.event_shape,
            mean=np.full(self.event_shape, 0.5),
            steps_per_epoch=100,
        )


def training(x):
    """`datasets.Arrays` of training examples and next to nothing else."""
    return datasets.Arrays(x, None, x[:0], None, x[:1], None)
