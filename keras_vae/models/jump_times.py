"""Pairs of times in sequences, drawn for a model that jumps."""

from collections.abc import Sequence

import tensorflow as tf

from keras_vae.random import Noise

JUMP_DISTRIBUTIONS = ("uniform", "log_uniform")


def draw_times(
    noise: Noise, lengths: tf.Tensor, jump_range: Sequence[int], kind: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """t1 < t2 of each sequence, counted from 0.

    t1 is uniform over the times from which the jump fits into the sequence.

    Args:
        noise: `random.Noise`.
        lengths: int32 tensor (rows,), steps of each sequence.
        jump_range: pair of ints, least and largest t2 - t1; a shorter
            sequence has a smaller largest one.
        kind: of `JUMP_DISTRIBUTIONS`, that of t2 - t1.

    Returns:
        int32 tensors (rows,), (rows,).
    """
    least, largest = jump_range
    largest = tf.minimum(largest, lengths - 1)
    jump = least
    if kind == "uniform":
        jump += _integers(noise, largest - least + 1)
    else:
        jump += _log_integers(noise, least, largest)
    first = _integers(noise, lengths - jump)
    return first, first + jump


def _log_integers(noise, least, largest):
    """Log-uniform integers from least to largest, less `least`: (rows,)."""
    u = noise.uniform([tf.shape(largest)[0]])
    ratio = (tf.cast(largest, "float32") + 1.0) / least
    drawn = tf.cast(least * ratio**u, "int32") - least
    return tf.maximum(tf.minimum(drawn, largest - least), 0)


def _integers(noise, below):
    """Uniform integers from 0 to below - 1, one for each row."""
    u = noise.uniform([tf.shape(below)[0]])
    drawn = tf.cast(u * tf.cast(below, "float32"), "int32")
    # Rounding may give `below` itself.
    return tf.maximum(tf.minimum(drawn, below - 1), 0)
