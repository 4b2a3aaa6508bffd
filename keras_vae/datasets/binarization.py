"""Bernoulli draws of pixels: functions of their seed and nothing else."""

import numbers

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_vae.typing import Array
from keras_vae.typing import TensorLike

ROWS = 4096

fold_in = tf.random.experimental.stateless_fold_in


def bernoulli(probabilities: TensorLike, key: TensorLike) -> tf.Tensor:
    """Draw pixels in {0, 1} that are 1 with the given probabilities."""
    uniform = tf.random.stateless_uniform(
        tf.shape(probabilities), key, alg="philox"
    )
    return tf.cast(uniform < probabilities, "float32")


def draw(x: Array, key: TensorLike, pixel_max: int = 1) -> Array:
    """Binarise an array of any size in little memory; returns uint8."""
    pixels = np.empty(x.shape, "uint8")
    with tf.device("CPU:0"):
        for chunk, start in enumerate(range(0, len(x), ROWS)):
            rows = slice(start, start + ROWS)
            pixels[rows] = bernoulli(
                x[rows].astype("float32") / pixel_max,
                fold_in(key, chunk),
            )
    return pixels


def binarize(x: ArrayLike, seed: int = 0) -> Array:
    """Draw every pixel once from a Bernoulli whose mean is its grey value.

    One call fixes a binary test set. The draws do not depend on what was
    drawn before, and a pixel in {0, 1} stays as it is.

    Args:
        x: Array (count, ...) with values in [0, 1].
        seed: Integer. `load` binarises its test split with its own seed.

    Returns:
        A float32 array of x's shape with values in {0, 1}.

    Raises:
        ValueError: If a value is outside [0, 1] or not a number.

    Example:
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> keras_vae.datasets.binarize(x, seed=1)
    array([[0., 1.],
           [1., 0.]], dtype=float32)

    Reference:
        Burda et al., 2016, section 5 (after Salakhutdinov and Murray, 2008).
    """
    x = np.asarray(x)
    if not (np.min(x, initial=0) >= 0 and np.max(x, initial=0) <= 1):
        raise ValueError(
            "`x` must hold values in [0, 1]. Received: x with minimum "
            f"{np.min(x)} and maximum {np.max(x)}"
        )
    return draw(x, stream(seed, "test")).astype("float32")


def stream(seed: int, purpose: str) -> tf.Tensor:
    """Return the stateless key of one use of the seed."""
    if not isinstance(seed, numbers.Integral):
        raise ValueError(f"`seed` must be an integer. Received: seed={seed!r}")
    purposes = ("test", "validation", "train", "order", "noise")
    return tf.constant([seed, purposes.index(purpose)], "int64")
