import typing
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.datasets.factor_images import FactorImages
from keras_vae.metrics.disentanglement.codes import Representation
from keras_vae.metrics.disentanglement.codes import sample
from keras_vae.typing import Array


class DCI(typing.NamedTuple):
    """Result of `dci`.

    Attributes:
        disentanglement: float in [0, 1], whether each unit tells of one
            factor.
        completeness: float in [0, 1], whether each factor is told by one
            unit.
        informativeness: float in [0, 1], accuracy on the test images, mean
            over factors.
        importance: float64 array (units, num_factors).
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: np.ndarray


def dci(
    representation: Representation,
    data: FactorImages,
    num_train: int = 10_000,
    num_test: int = 5_000,
    seed: int = 0,
    verbose: int | str = "auto",
    classifier: Callable[[], Any] | None = None,
) -> DCI:
    """Disentanglement, completeness and informativeness of codes.

    A classifier of each factor says how important each unit is for it,
    R (units, factors). With R_j over its sum, D_j = 1 - H(R_j) to the base of
    the number of factors, C_k = 1 - H of column k to the base of the number
    of units; both are averaged with the shares of R as weights. Units or
    factors of no importance have weight 0; if all have, D and C are 0.

    Args:
        representation: Callable from images to codes (batch, units), or
            `EncodedImages`.
        data: `keras_vae.datasets.FactorImages`.
        num_train, num_test: int, images.
        seed: int.
        verbose: 0, 1 or "auto": a progress bar on long runs.
        classifier: None, or callable that makes a scikit-learn classifier
            with `feature_importances_`. Default: gradient boosting, minutes
            for factors of many values.

    Returns:
        `DCI(disentanglement, completeness, informativeness, importance)`.

    Raises:
        ValueError: If the codes are not finite, or have no units.

    Reference:
        Eastwood, Williams, 2018, section 2, in the protocol of Locatello et
        al., 2019.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    rng = np.random.default_rng(seed)
    factors, codes = sample(
        representation, data, positive_int("num_train", num_train), rng, verbose
    )
    test_factors, test_codes = sample(
        representation, data, positive_int("num_test", num_test), rng
    )
    columns, scores = [], []
    for known, held in zip(factors.T, test_factors.T):
        if len(set(known)) < 2:
            columns.append(np.zeros(codes.shape[1]))
            scores.append(float(np.mean(held == known[0])))
            continue
        model = (
            GradientBoostingClassifier(random_state=seed)
            if classifier is None
            else classifier()
        )
        model.fit(codes, known)
        columns.append(np.abs(model.feature_importances_))
        scores.append(model.score(test_codes, held))
    importance = np.nan_to_num(np.stack(columns, axis=1))
    return DCI(
        _concentration(importance),
        _concentration(importance.T),
        float(np.mean(scores)),
        importance,
    )


def _concentration(importance: Array) -> float:
    """1 - H of the rows, to the base of their size, weighted by their sums."""
    total = importance.sum()
    if total == 0.0:
        return 0.0
    sums = importance.sum(axis=1)
    shares = importance[sums > 0] / sums[sums > 0, None]
    size = importance.shape[1]
    if size == 1:
        return 1.0
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    rows = 1.0 + np.sum(shares * logs, axis=1) / np.log(size)
    score = np.sum(rows * sums[sums > 0]) / total
    # Equal shares sum up to a little less than 0.
    return float(np.clip(score, 0.0, 1.0))
