"""Initialisers that the network functions share."""

import keras
import numpy as np

from keras_vae.random import spawn_seeds


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
