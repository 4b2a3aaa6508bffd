"""Sums over the event axes."""

import tensorflow as tf

from keras_vae.typing import TensorLike


def sum_event(x: TensorLike, event_rank: int) -> tf.Tensor:
    """Sum over the last `event_rank` axes, in float32.

    Args:
        x: tensor (..., *event).
        event_rank: int, the number of event axes.

    Returns:
        float32 tensor (...).
    """
    x = tf.cast(x, "float32")
    if event_rank == 0:
        return x
    return tf.reduce_sum(x, axis=list(range(-event_rank, 0)))
