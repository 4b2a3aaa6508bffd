"""Data read in batches, wherever they come from."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.typing import Batches


def batches(x: Batches, batch_size: int) -> Iterator[Any]:
    """Yield batches of inputs from an array or from a `tf.data.Dataset`.

    Args:
        x: Array whose first axis is the batch, or a batched
            `tf.data.Dataset` of inputs or of tuples that begin with them.
        batch_size: Positive int. A data set keeps its own batches.

    Returns:
        Iterator over arrays.

    Raises:
        ValueError: If `x` holds no example or `batch_size` is not positive.
    """
    batch_size = positive_int("batch_size", batch_size)
    empty = True
    if isinstance(x, tf.data.Dataset):
        for element in x:
            empty = False
            yield element[0] if isinstance(element, tuple) else element
    else:
        x = np.asarray(x)
        for start in range(0, len(x) if x.ndim else 0, batch_size):
            empty = False
            yield x[start : start + batch_size]
    if empty:
        raise ValueError(f"`x` must hold at least one example. Received: x={x}")
