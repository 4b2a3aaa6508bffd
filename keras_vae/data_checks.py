"""What can be said about data before training starts."""

import numbers
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.datasets.splits import Splits
from keras_vae.typing import Array


def first_arrays(x: Any, y: Any, argument: str) -> tuple[Any, Any]:
    """(x, y) as NumPy arrays: whole arrays, or a data set's first batch.

    Returns (None, None) for sources that cannot be looked at twice.
    """
    if isinstance(x, tf.data.Dataset):
        try:
            batch = next(iter(x.take(1)))
        except StopIteration:
            raise ValueError(
                f"`{argument}` must hold at least one example. "
                f"Received: {argument}=an empty tf.data.Dataset"
            ) from None
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
    elif isinstance(x, keras.utils.PyDataset) and len(x) > 0:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(x[0])
    leaves = keras.tree.flatten(x)
    _check_source(x, leaves, argument)
    if not all(isinstance(a, (np.ndarray, tf.Tensor)) for a in leaves):
        return None, None
    x = keras.tree.map_structure(np.asarray, x)
    for leaf in keras.tree.flatten(x):
        check_not_empty(leaf, argument)
    return x, None if y is None else np.asarray(y)


def check_not_empty(x: Array, argument: str) -> None:
    """There is a first example."""
    if len(x) == 0:
        raise ValueError(
            f"`{argument}` must hold at least one example. "
            f"Received: {argument} of shape {x.shape}"
        )


def _check_source(x: Any, leaves: list[Any], argument: str) -> None:
    if isinstance(x, Splits):
        raise ValueError(
            f"`{argument}` must be one part of the data, such as its attribute "
            f"`train`. Received: {argument}=the Splits of all parts"
        )
    if x is None or any(
        isinstance(leaf, (str, bytes, numbers.Number)) for leaf in leaves
    ):
        raise ValueError(
            f"`{argument}` must be an array, or a tf.data.Dataset of batches. "
            f"Received: {argument} of type {type(x).__name__}"
        )


def check_one_array(x: Any) -> None:
    """One array, for models that take one."""
    if isinstance(x, (list, tuple, dict)):
        raise ValueError(
            "`x` must be one array (`numpy.stack` makes one of a list of "
            f"examples). Received: x={type(x).__name__} of {len(x)} arrays"
        )


def check_target(x: Any, y: Any) -> None:
    """y is a target for x, not a label."""
    if y is None or isinstance(x, dict):
        return
    if tuple(x.shape)[1:] != tuple(y.shape)[1:]:
        raise ValueError(
            "`y` is the target of the reconstruction and must have the shape "
            "of `x`; labels are not targets, leave them out (with_labels="
            f"False). Received: x of shape {tuple(x.shape)}, y of shape "
            f"{tuple(y.shape)}"
        )


def check_no_target(model: keras.Model, y: Any) -> None:
    """There is no y: the model is of the distribution of x alone."""
    if y is not None:
        raise ValueError(
            f"{type(model).__name__} is fitted to `x` alone, without a "
            f"target. Received: y of shape {np.shape(y)}"
        )


def check_finite(array: Array, argument: str) -> None:
    """No NaN and no infinity in a float array."""
    if np.issubdtype(array.dtype, np.floating):
        bad = array.size - np.count_nonzero(np.isfinite(array))
        if bad:
            raise ValueError(
                f"`{argument}` must be finite. Received: {argument} with "
                f"{bad} of {array.size} values NaN or infinite"
            )


def check_floats(array: Array, argument: str) -> None:
    """Finite floats; integers would be truncated or scaled silently."""
    check_float_dtype(array.dtype, argument)
    check_finite(array, argument)


def check_float_dtype(dtype: Any, argument: str) -> None:
    """Floats, no 8-bit images."""
    dtype = tf.as_dtype(dtype)
    if not dtype.is_floating:
        raise ValueError(
            f"`{argument}` must be an array of floats (divide 8-bit images by "
            f"255). Received: {argument} of dtype {dtype.name}"
        )
