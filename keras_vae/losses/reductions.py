"""Sums over the event axes."""

import tensorflow as tf


def sum_event(x, event_rank):
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
