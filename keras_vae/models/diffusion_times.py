"""Levels of a diffusion, drawn for the examples of a batch."""

import tensorflow as tf

from keras_vae import random
from keras_vae.random import Noise
from keras_vae.typing import Scalar


def draw_times(
    noise: Noise,
    rows: Scalar,
    first: int,
    last: int,
    low_discrepancy: bool = True,
) -> tf.Tensor:
    """A level for each example, uniform in first..last.

    With low discrepancy the levels of a global batch are spread evenly, with
    one random offset: each of them is uniform, and their mean varies less.

    Args:
        noise: `random.Noise`.
        rows: scalar int tensor, examples of this replica.
        first: int, the lowest level.
        last: int, the highest.
        low_discrepancy: bool.

    Returns:
        int32 tensor (rows,).

    Reference:
        Kingma, Salimans, Poole, Ho, 2021, appendix I.1.
    """
    if low_discrepancy:
        start, total = random.global_span(rows)
        position = tf.cast(start + tf.range(rows), "float32")
        total = tf.cast(tf.maximum(total, 1), "float32")
        u = noise.shared_uniform([1]) + position / total
        u -= tf.floor(u)
    else:
        u = noise.uniform([rows])
    number = last - first + 1
    # Rounding may give a fraction of 1.
    t = tf.minimum(tf.cast(tf.floor(u * number), "int32"), number - 1)
    return first + t
