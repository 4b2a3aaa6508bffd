"""What data sets that are made on the spot are drawn from."""

import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.typing import Array


def uniform(seed: int, num: int, count: int) -> Array:
    """Return (num, count) numbers in [0, 1): the first rows of a seed."""
    positive_int("num", num)
    positive_int("seed", seed, at_least=0)
    # NumPy freezes the streams of RandomState.
    return np.random.RandomState(seed).uniform(size=(num, count))
