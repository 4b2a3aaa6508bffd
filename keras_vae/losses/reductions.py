"""Sums over the event axes."""

import math

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


def flatten_event(x: tf.Tensor, event_rank: int) -> tf.Tensor:
    """The event as one axis.

    Args:
        x: tensor (..., *event), whose event has a static shape.
        event_rank: int, the number of event axes, at least one.

    Returns:
        tensor (..., event_size).
    """
    if event_rank == 1:
        return x
    batch_rank = x.shape.rank - event_rank
    size = math.prod(x.shape[batch_rank:])
    if batch_rank == 1 and size:
        return tf.reshape(x, [-1, size])
    return tf.reshape(x, tf.concat([tf.shape(x)[:batch_rank], [size]], axis=0))
