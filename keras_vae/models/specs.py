"""Inputs of exported functions, by the names that clients send."""

from collections.abc import Sequence

import tensorflow as tf

NUM = tf.TensorSpec((), "int32", name="num")
SEED = tf.TensorSpec((2,), "int32", name="seed")


def floats(name: str, shape: Sequence[int | None]) -> tf.TensorSpec:
    """float32 (batch, *shape), the batch of any size."""
    return tf.TensorSpec((None, *shape), "float32", name=name)
