"""Latent units that carry information about the data."""

import typing

import keras
import numpy as np

from keras_vae.evaluation.encode_in_batches import encode_in_batches
from keras_vae.metrics.kl_per_dimension import kl_per_dimension
from keras_vae.typing import Batches


class ActiveUnits(typing.NamedTuple):
    """Result of `active_units`.

    Attributes:
        count: Number of active units.
        mask: bool array, shape `(latent_dim,)`: which ones they are.
        statistic: float64 array, shape `(latent_dim,)`: what was compared
            with the threshold.
    """

    count: int  # type: ignore[assignment]  # A tuple has a method count.
    mask: np.ndarray
    statistic: np.ndarray


def active_units(
    model: keras.Model,
    x: Batches,
    definition: str = "variance",
    threshold: float = 0.01,
    batch_size: int = 1000,
) -> ActiveUnits:
    """Count the latent units that are active, by a published definition.

    "variance":  Var_x(E_{q(z_i | x)}[z_i]) > threshold
    "kl":        mean_x KL(q(z_i | x) || p(z_i)) > threshold

    Args:
        model: A model with `encode` (the posterior mean) and, for "kl", the
            methods that `kl_per_dimension` needs.
        x: Array, or batched `tf.data.Dataset` of inputs (or of tuples that
            begin with them).
        definition: `"variance"` (Burda et al.) or `"kl"` (Sonderby et al.).
        threshold: A unit is active above it. Defaults to 0.01.
        batch_size: Examples encoded at a time. Defaults to 1000.

    Returns:
        `ActiveUnits(count, mask, statistic)`.

    Raises:
        ValueError: If `definition` is unknown, if `x` is empty, or if "kl" is
            asked of a model whose posterior or prior is not normal.

    Example:

    >>> import numpy as np
    >>> from keras_vae.metrics import active_units
    >>> class TwoUnits:
    ...     def encode(self, x):
    ...         return np.stack([x, 0.0 * x], axis=1)
    >>> result = active_units(TwoUnits(), np.array([-1.0, 1.0]))
    >>> result.count, result.mask.tolist(), result.statistic.tolist()
    (1, [True, False], [1.0, 0.0])

    Reference:
        Burda, Grosse, Salakhutdinov, 2016, Importance Weighted
        Autoencoders, section 5.2. Sonderby, Raiko, Maaloe, Sonderby, Winther,
        2016, Ladder Variational Autoencoders, section 3.2.
    """
    if definition == "variance":
        means = encode_in_batches(model, x, batch_size)
        statistic = means.var(axis=0, dtype="float64")
    elif definition == "kl":
        statistic = kl_per_dimension(model, x, batch_size)
    else:
        raise ValueError(
            '`definition` must be "variance" or "kl". '
            f"Received: definition={definition}"
        )
    mask = statistic > threshold
    return ActiveUnits(int(mask.sum()), mask, statistic)
