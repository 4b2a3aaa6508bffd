"""Checks of arguments that all packages share."""

import numbers
import os
import pathlib
import re
from typing import Any

import tensorflow as tf

from keras_vae.typing import PathLike
from keras_vae.typing import Scalar
from keras_vae.typing import Weight

#: Names that become the name of a file: without folders, and not hidden.
PLAIN_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}"


def positive_int(name: str, value: Any, at_least: int = 1) -> int:
    """Return `value` as an int, or raise if it is none or below `at_least`."""
    if not isinstance(value, numbers.Integral) or value < at_least:
        kind = "a positive integer"
        if at_least != 1:
            kind = f"an integer and at least {at_least}"
        raise ValueError(f"`{name}` must be {kind}. Received: {name}={value!r}")
    return int(value)


def sample_count(name: str, value: Scalar) -> Scalar:
    """Return `value`, or raise if it is no positive integer; tensors pass."""
    return value if tf.is_tensor(value) else positive_int(name, value)


def positive(name: str, value: float) -> float:
    """Return `value`, or raise if it is not a number above 0."""
    if not isinstance(value, numbers.Real) or not float(value) > 0:
        raise ValueError(
            f"`{name}` must be positive. Received: {name}={value!r}"
        )
    return value


def non_negative(name: str, value: Weight) -> Weight:
    """Return `value`, or raise if it is a number below 0; schedules pass."""
    if isinstance(value, numbers.Real) and not float(value) >= 0:
        raise ValueError(
            f"`{name}` must not be negative. Received: {name}={value}"
        )
    return value


def proper_fraction(name: str, value: float) -> float:
    """Return `value`, or raise if it is not in [0, 1)."""
    if not 0.0 <= value < 1.0:
        raise ValueError(
            f"`{name}` must be in [0, 1). Received: {name}={value}"
        )
    return value


def plain_name(name: str, value: Any) -> str:
    """Return `value`, or raise if it could lead out of a folder."""
    if not isinstance(value, str) or not re.fullmatch(PLAIN_NAME, value):
        raise ValueError(
            f"`{name}` must be a plain name, without folders. "
            f"Received: {name}={value!r}"
        )
    return value


def checked_path(name: str, value: PathLike) -> pathlib.Path:
    """Return `value` as a `pathlib.Path`, or raise if it names no file.

    The empty path would mean the current folder, and a path with a zero
    byte is an error whose text does not say where it came from.
    """
    if not os.fspath(value) or "\0" in str(value):
        raise ValueError(
            f"`{name}` must be a path, not empty and without zero bytes. "
            f"Received: {name}={value!r}"
        )
    return pathlib.Path(value)


def positive_ints(
    name: str, values: Any, length: int | None = None
) -> tuple[int, ...]:
    """Return `values` as a tuple of `length` (or at least one) such ints."""
    try:
        sizes = tuple(positive_int(name, value) for value in values)
    except (TypeError, ValueError):
        sizes = ()
    if not sizes or len(sizes) != (length or len(sizes)):
        raise ValueError(
            f"`{name}` must be a sequence of {length or 'one or more'} "
            f"positive integers. Received: {name}={values!r}"
        )
    return sizes
