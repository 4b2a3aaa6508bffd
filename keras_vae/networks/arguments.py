"""Initialisers that the network functions share."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_vae.random import spawn_seeds
from keras_vae.typing import Array
from keras_vae.typing import Initializer


def initializers(
    initializer: Initializer, seed: int | None, count: int
) -> list[keras.initializers.Initializer]:
    """Return `count` copies of an initializer, each with a seed of its own."""
    seeds = spawn_seeds(seed, count)
    first = keras.initializers.get(initializer)
    config = first.get_config() if hasattr(first, "get_config") else {}
    if "seed" not in config:
        return [first] * count
    return [type(first).from_config({**config, "seed": s}) for s in seeds]


def constant(name: str, value: ArrayLike, shape: Sequence[int]) -> Array:
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


def constant_initializer(
    name: str, value: ArrayLike | None, shape: Sequence[int]
) -> str | keras.initializers.Initializer:
    """Return an initializer of `value` spread over `shape`, flattened."""
    if value is None:
        return "zeros"
    spread = constant(name, value, shape)
    return keras.initializers.Constant(spread.reshape(-1))
