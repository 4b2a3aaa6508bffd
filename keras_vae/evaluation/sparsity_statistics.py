"""How sparse codes are."""

import dataclasses

import keras
import numpy as np

from keras_vae.evaluation.batches import batches
from keras_vae.typing import Batches


@dataclasses.dataclass(frozen=True, eq=False)
class SparsityStatistics:
    """Result of `sparsity_statistics`.

    Args:
        mean_activation: float64 array `(units,)`: mean of each unit over the
            examples, rho_hat.
        frequency: float64 array `(units,)`: share of the examples in which
            each unit is active.
        dead_units: Number of units that are active in no example.
        mean_active_units: Mean number of active units of an example.
        active_fraction: The same, as a share of the units.
    """

    mean_activation: np.ndarray
    frequency: np.ndarray
    dead_units: int
    mean_active_units: float
    active_fraction: float

    def mean_deviation(self, rho: float) -> float:
        """mean_j |rho_hat_j - rho|: how far units are from a target.

        Args:
            rho: float, the mean activation that was aimed at.
        """
        return float(np.mean(np.abs(self.mean_activation - rho)))


def sparsity_statistics(
    model: keras.Model,
    x: Batches,
    threshold: float = 0.0,
    batch_size: int = 1000,
) -> SparsityStatistics:
    """Count the active units of codes; average their activations.

    Unit j is active in example i if |z_ij| > threshold.

    Args:
        model: A model with `encode`; codes are flattened to rows.
        x: Array, or batched `tf.data.Dataset` of inputs (or of tuples that
            begin with them).
        threshold: float, not negative. Defaults to 0: exact zeros are
            inactive, right for codes of ReLU or k-sparse units; sigmoid units
            need more, such as 0.1.
        batch_size: Examples encoded at a time. Defaults to 1000.

    Returns:
        `SparsityStatistics`.

    Raises:
        ValueError: If `x` holds no example, or `threshold` or `batch_size`
            has no meaning.

    Example:

    >>> class Identity:
    ...     def encode(self, x):
    ...         return x
    >>> x = np.array([[1.0, 0.0, 0.0], [3.0, -1.0, 0.0]])
    >>> result = keras_vae.evaluation.sparsity_statistics(Identity(), x)
    >>> result.mean_activation.tolist(), result.dead_units
    ([2.0, -0.5, 0.0], 1)
    >>> result.mean_active_units, result.active_fraction
    (1.5, 0.5)
    """
    if not 0.0 <= threshold < np.inf:
        raise ValueError(
            "`threshold` must be finite and not negative. "
            f"Received: threshold={threshold}"
        )
    num, total, active = 0, np.zeros(()), np.zeros((), int)
    for batch in batches(x, batch_size):
        codes = keras.ops.convert_to_numpy(model.encode(batch))
        codes = codes.reshape(len(codes), -1).astype("float64")
        num += len(codes)
        total = total + codes.sum(axis=0)
        active = active + np.sum(np.abs(codes) > threshold, axis=0)
    return SparsityStatistics(
        mean_activation=total / num,
        frequency=active / num,
        dead_units=int(np.sum(active == 0)),
        mean_active_units=float(active.sum() / num),
        active_fraction=float(active.sum() / num / len(active)),
    )
