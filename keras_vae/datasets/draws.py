"""What data sets that are made on the spot are drawn from."""

import numbers
from typing import Any

import numpy as np

from keras_vae.typing import Array


def check_int(name: str, value: Any, at_least: int = 1) -> None:
    """Raise unless `value` is an integer, `at_least` or above."""
    if not isinstance(value, numbers.Integral) or value < at_least:
        raise ValueError(
            f"`{name}` must be an integer of at least {at_least}. "
            f"Received: {name}={value!r}"
        )


def uniform(seed: int, num: int, count: int) -> Array:
    """Return (num, count) numbers in [0, 1): the first rows of a seed."""
    check_int("num", num)
    check_int("seed", seed, 0)
    # NumPy freezes the streams of RandomState.
    return np.random.RandomState(seed).uniform(size=(num, count))
