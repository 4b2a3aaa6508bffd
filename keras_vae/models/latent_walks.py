"""Codes along lines and axes, for pictures of what a code means."""

from collections.abc import Callable
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_vae.typing import TensorLike


def straight_lines(start: TensorLike, end: TensorLike, num: int) -> tf.Tensor:
    """Points of the straight lines between codes, ends included.

    Args:
        start, end: tensors (batch, *latent_shape).
        num: int >= 2.

    Returns:
        Tensor (batch, num, *latent_shape).
    """
    t = tf.linspace(0.0, 1.0, num)
    t = tf.reshape(t, [1, num] + [1] * (len(start.shape) - 1))
    return (1.0 - t) * start[:, tf.newaxis] + t * end[:, tf.newaxis]


def one_example(x: TensorLike, event_shape: Sequence[int]) -> tf.Tensor:
    """x, which may have an axis of one example, as (1, *event_shape)."""
    shapes = (tuple(event_shape), (1, *event_shape))
    if tuple(np.shape(x)) not in shapes:
        raise ValueError(
            f"`x` must be one example, of shape {shapes[0]}. "
            f"Received: x of shape {np.shape(x)}"
        )
    return tf.reshape(tf.cast(x, "float32"), shapes[1])


def moved_units(
    z: TensorLike,
    units: Sequence[int] | None = None,
    values: ArrayLike | None = None,
) -> tf.Tensor:
    """Copies of a code in which one unit takes other values.

    Args:
        z: array (*latent_shape,).
        units: indices of units of the flattened code; None: all.
        values: values that a unit takes; None: 7 from -3 to 3.

    Returns:
        Tensor (units, values, *latent_shape).
    """
    z = np.asarray(z, "float32")
    units = range(z.size) if units is None else np.atleast_1d(units).tolist()
    if not set(units) <= set(range(z.size)):
        raise ValueError(
            f"`units` must be from 0 to {z.size - 1}. Received: units={units}"
        )
    steps = np.asarray(np.linspace(-3, 3, 7) if values is None else values)
    grid = np.tile(z.ravel(), (len(units), len(steps), 1))
    for row, unit in enumerate(units):
        grid[row, :, unit] = steps
    return tf.constant(grid.reshape(len(units), len(steps), *z.shape))


def decode_grid(
    decode: Callable[[tf.Tensor], tf.Tensor], z: tf.Tensor
) -> tf.Tensor:
    """`decode` of codes (rows, columns, *latent_shape), as such a grid."""
    x = decode(tf.reshape(z, [-1, *z.shape[2:]]))
    return tf.reshape(x, [*z.shape[:2], *x.shape[1:]])
