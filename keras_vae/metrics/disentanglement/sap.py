from collections.abc import Sequence

import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.datasets.factor_images import FactorImages
from keras_vae.metrics.disentanglement.codes import Representation
from keras_vae.metrics.disentanglement.codes import sample
from keras_vae.typing import Array

_METHODS = ("correlation", "svm")


def sap(
    representation: Representation,
    data: FactorImages,
    num_train: int = 10_000,
    num_test: int = 5_000,
    method: str = "correlation",
    seed: int = 0,
    verbose: int | str = "auto",
) -> float:
    """Separated attribute predictability: how far the best unit is ahead.

    mean over factors of the score of the unit that predicts the factor best,
    minus that of the second. A lone unit has a second of 0.

    Args:
        representation: Callable from images to codes (batch, units), or
            `EncodedImages`.
        data: `keras_vae.datasets.FactorImages`.
        num_train, num_test: int, images; the correlation takes the first.
        method: "correlation": scores are squared correlations; "svm": test
            accuracies of a linear classifier of one unit (C = 0.01, classes
            of equal weight).
        seed: int.
        verbose: 0, 1 or "auto": a progress bar on long runs.

    Returns:
        float in [0, 1].

    Raises:
        ValueError: If the codes are not finite, have no units, or `method`
            is unknown.

    Reference:
        Kumar, Sattigeri, Balakrishnan, 2018, section 3, in the protocol of
        Locatello et al., 2019.
    """
    if method not in _METHODS:
        raise ValueError(
            f"`method` must be one of {list(_METHODS)}. "
            f"Received: method={method!r}"
        )
    rng = np.random.default_rng(seed)
    factors, codes = sample(
        representation, data, positive_int("num_train", num_train), rng, verbose
    )
    varying = [k for k, n in enumerate(data.factor_sizes) if n > 1]
    if method == "correlation":
        scores = _squared_correlations(codes, factors[:, varying])
    else:
        held = sample(
            representation, data, positive_int("num_test", num_test), rng
        )
        scores = _accuracies(codes, factors, *held, varying, seed)
    scores = np.sort(scores, axis=0)[::-1]
    second = scores[1] if len(scores) > 1 else 0.0
    return float(np.mean(scores[0] - second))


def _squared_correlations(codes: Array, factors: Array) -> Array:
    """(units, factors); a unit that does not vary has none."""
    codes = codes - codes.mean(axis=0)
    factors = factors - factors.mean(axis=0)
    covariance = codes.T @ factors
    scale = np.outer((codes**2).sum(axis=0), (factors**2).sum(axis=0))
    return np.divide(
        covariance**2, scale, out=np.zeros_like(scale), where=scale > 1e-12
    )


def _accuracies(
    codes: Array,
    factors: Array,
    held_factors: Array,
    held_codes: Array,
    varying: Sequence[int],
    seed: int,
) -> Array:
    from sklearn.svm import LinearSVC

    scores = np.zeros((codes.shape[1], len(varying)))
    for j in range(codes.shape[1]):
        for column, k in enumerate(varying):
            known = factors[:, k]
            # Of a unit that never varies nothing can be told apart.
            if codes[:, j].std() == 0.0 or len(set(known)) < 2:
                continue
            model = LinearSVC(
                C=0.01, class_weight="balanced", random_state=seed
            )
            model.fit(codes[:, [j]], known)
            scores[j, column] = model.score(
                held_codes[:, [j]], held_factors[:, k]
            )
    return scores
