"""Code length per dimension of the data."""

import math
from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_vae.typing import Array


def bits_per_dim(
    nats: ArrayLike,
    event_shape: Sequence[int] | None = None,
    model: keras.Model | None = None,
) -> Array | np.float64:
    """Convert negative log-likelihoods in nats to bits per dimension.

    bits = nats / (D * log(2)),    D = prod(event_shape)

    It is a code length, so it exists for discrete data only: a density has
    no bits. Given a `model`, this is checked against its likelihood.

    Args:
        nats: Number or array of negative log-likelihoods (or bounds on them)
            of whole examples.
        event_shape: Shape of one example. Give this or `model`.
        model: A model with `likelihood` and `event_shape`.

    Returns:
        float64 number or array, of the shape of `nats`.

    Raises:
        ValueError: If the model's likelihood is not discrete, if not exactly
            one of `event_shape` and `model` is given, or if an axis of the
            event is empty.

    Example:

    >>> import math
    >>> from keras_vae.metrics import bits_per_dim
    >>> float(bits_per_dim(64 * math.log(2), event_shape=(8, 8, 1)))
    1.0
    """
    if (event_shape is None) == (model is None):
        raise ValueError(
            "Exactly one of `event_shape` and `model` must be given. "
            f"Received: event_shape={event_shape}, model={model}"
        )
    if model is not None:
        if not model.likelihood.discrete:
            raise ValueError(
                "Bits per dimension are a code length and exist for discrete "
                "likelihoods only; report nats for a density. "
                f"Received: model={model} with likelihood={model.likelihood}"
            )
        event_shape = model.event_shape
    dimensions = math.prod(event_shape or ())
    if dimensions < 1:
        raise ValueError(
            "`event_shape` must have positive axes. "
            f"Received: event_shape={event_shape}"
        )
    return np.asarray(nats, "float64")[()] / (dimensions * math.log(2.0))
