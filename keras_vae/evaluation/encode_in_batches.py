"""Codes of a whole data set."""

import keras
import numpy as np

from keras_vae.evaluation.batches import batches
from keras_vae.typing import Array
from keras_vae.typing import Batches


def encode_in_batches(
    model: keras.Model, x: Batches, batch_size: int = 1000
) -> Array:
    """Return the codes of a data set, one flat row for each example.

    Args:
        model: A model with `encode`, such as `keras_vae.Autoencoder` or
            `keras_vae.VAE` (whose code is the posterior mean).
        x: Array, or batched `tf.data.Dataset` of inputs (or of tuples that
            begin with them).
        batch_size: Examples encoded at a time. Defaults to 1000.

    Returns:
        float32 array, shape `(examples, code dimensions)`.

    Raises:
        ValueError: If `x` holds no example or `batch_size` is not positive.
    """
    parts = [
        keras.ops.convert_to_numpy(model.encode(batch)).astype("float32")
        for batch in batches(x, batch_size)
    ]
    codes = np.concatenate(parts)
    return codes.reshape(len(codes), -1)
