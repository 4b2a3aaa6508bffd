"""Units of each level of a hierarchy that carry information."""

import typing

import keras
import numpy as np

from keras_vae.evaluation.batches import batches
from keras_vae.typing import Array
from keras_vae.typing import Seed


class LevelUnits(typing.NamedTuple):
    """One row of `units_by_level`.

    Attributes:
        level: Number of the level, 1 is nearest the data.
        units: Number of latent units.
        kl: Mean of the level's KL term, nats.
        active_kl: Units whose KL is above the threshold.
        active_variance: Units whose posterior mean varies more than the
            threshold over the data.
    """

    level: int
    units: int
    kl: float
    active_kl: int
    active_variance: int


def units_by_level(
    model: keras.Model,
    x: Array,
    threshold: float = 0.01,
    num_samples: int = 1,
    batch_size: int = 1000,
    seed: Seed = 0,
) -> list[LevelUnits]:
    """Counts the active units of each level, by both published definitions.

    "kl":        the mean over x of the unit's share of the bound's KL term
                 is above the threshold
    "variance":  Var_x(E_q[z_i]) is above it, the parents of z_i in the
                 inference at their means

    Args:
        model: `keras_vae.HierarchicalVAE`, `LadderVAE`, or another model with
            `kl_per_unit` and `encode_levels`.
        x: Array of examples.
        threshold: A unit is active above it. Defaults to 0.01.
        num_samples: Samples of the chain for each example.
        batch_size: Examples at a time. Defaults to 1000.
        seed: Of the samples.

    Returns:
        List of `LevelUnits`, bottom first.

    Example:

    >>> import numpy as np
    >>> from keras_vae.metrics import units_by_level
    >>> class OneLevel:
    ...     def kl_per_unit(self, x, **kwargs):
    ...         return [np.array([2.0, 0.001])]
    ...     def encode_levels(self, x):
    ...         return [np.stack([x, 0.0 * x], axis=1)]
    >>> units_by_level(OneLevel(), np.array([-1.0, 1.0]))[0].active_kl
    1

    Reference:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, 2016, section 3.2; Burda,
        Grosse, Salakhutdinov, 2016, section 5.2.
    """
    kls = model.kl_per_unit(
        x, num_samples=num_samples, batch_size=batch_size, seed=seed
    )
    return [
        LevelUnits(
            level,
            int(np.size(kl)),
            float(np.sum(kl)),
            int(np.sum(kl > threshold)),
            int(np.sum(means.var(axis=0, dtype="float64") > threshold)),
        )
        for level, (kl, means) in enumerate(
            zip(kls, means_by_level(model, x, batch_size)), 1
        )
    ]


def means_by_level(
    model: keras.Model, x: Array, batch_size: int = 1000
) -> list[Array]:
    """Posterior means of each level over a data set.

    Args:
        model: A model with `encode_levels`.
        x: Array of examples.
        batch_size: Examples at a time. Defaults to 1000.

    Returns:
        List of float32 arrays `(n, *latent_shape)`, bottom first.
    """
    parts = [
        [np.asarray(level) for level in model.encode_levels(rows)]
        for rows in batches(x, batch_size)
    ]
    return [np.concatenate(level) for level in zip(*parts)]
