"""Checks and initialisers that the network functions share."""

import numbers
import random

import keras
import numpy as np


def positive_int(name, value):
    """Return `value` as an int, or raise if it is not a positive integer."""
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value!r}"
        )
    return int(value)


def positive_ints(name, values, length=None):
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


def spawn_seeds(seed, count):
    """Return `count` seeds that follow from one, drawn if that is None.

    It is then drawn from Python's generator, which
    `keras.utils.set_random_seed` sets.
    """
    if seed is None:
        seed = random.getrandbits(31)
    elif not isinstance(seed, numbers.Integral) or seed < 0:
        raise ValueError(
            "`seed` must be None or a non-negative integer. "
            f"Received: seed={seed!r}"
        )
    seeds = np.random.SeedSequence(int(seed)).generate_state(count)
    return [int(s >> 1) for s in seeds]


def initializers(initializer, seed, count):
    """Return `count` copies of an initializer, each with a seed of its own."""
    seeds = spawn_seeds(seed, count)
    initializer = keras.initializers.get(initializer)
    config = getattr(initializer, "get_config", dict)()
    if "seed" not in config:
        return [initializer] * count
    return [type(initializer).from_config({**config, "seed": s}) for s in seeds]


def constant(name, value, shape):
    """Return `value` spread over `shape` as a float32 array, or raise."""
    value = np.asarray(value, dtype="float32")
    try:
        spread = np.broadcast_to(value, shape)
    except ValueError:
        spread = None
    if spread is None or not np.isfinite(spread).all():
        raise ValueError(
            f"`{name}` must hold finite numbers of a shape that broadcasts to "
            f"{shape}. Received: {name} of shape {value.shape}"
        )
    return spread


def constant_initializer(name, value, shape):
    """Return an initializer of `value` spread over `shape`, flattened."""
    if value is None:
        return "zeros"
    spread = constant(name, value, shape)
    return keras.initializers.Constant(spread.reshape(-1))
