"""How much of the labels a linear classifier reads off codes."""

import copy
import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_vae import data_checks
from keras_vae.arguments import positive_int
from keras_vae.typing import Array


@dataclasses.dataclass(frozen=True, eq=False)
class LogisticRegressionResult:
    """Result of `logistic_regression`.

    Args:
        error: Percent of the test examples with a wrong label.
        C: Inverse strength of the penalty that was chosen.
        validation_errors: dict from each C to its error in percent; empty if
            there was nothing to choose.
        num_iterations: Iterations of the last fit, from the weights of the
            one that chose C, if there was one.
        converged: Whether it stopped before `max_iter`.
        classifier: Fitted `sklearn.linear_model.LogisticRegression`; it takes
            flat codes, not standardised.
    """

    error: float
    C: float
    validation_errors: dict[float, float]
    num_iterations: int
    converged: bool
    classifier: object


def logistic_regression(
    codes_train: ArrayLike,
    labels_train: ArrayLike,
    codes_test: ArrayLike,
    labels_test: ArrayLike,
    Cs: Sequence[float] = (0.001, 0.01, 0.1, 1.0),
    num_validation: int | None = None,
    max_iter: int = 100,
    standardize: str | None = "global",
    seed: int = 0,
    verbose: int = 0,
) -> LogisticRegressionResult:
    """Classify codes by multinomial logistic regression, fitted by L-BFGS.

    C is chosen on training codes held out, then the classifier is fitted to
    all training codes. It minimises

    sum_i -log p(label_i | code_i) + |W|**2 / (2 C)

    Fits go from the smallest C to the largest, each from the weights of the
    one before. All is computed in float32.

    Args:
        codes_train: Array `(examples, ...)`, flattened to rows.
        labels_train: int or str array `(examples,)`.
        codes_test: As `codes_train`.
        labels_test: As `labels_train`.
        Cs: Values of C to choose from.
        num_validation: Training examples that choose C, drawn by `seed`.
            Defaults to a sixth of them, at most 10000.
        max_iter: Iterations of each fit. Defaults to 100.
        standardize: "global" (default) centres the codes and divides them by
            one number, so that their mean variance over units is 1:
            distances keep their proportions and C has the same meaning for
            codes of any scale. "per_unit" divides each unit by its own
            standard deviation: rare units then count as much as others. None
            takes codes as they are.
        seed: int. Defaults to 0.
        verbose: 0 (default) or 1: one line for each fit.

    Returns:
        `LogisticRegressionResult`.

    Raises:
        ValueError: If codes are not finite, labels are missing or do not fit
            the codes, or an argument has no meaning.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(200) % 4
    >>> codes = np.eye(4)[labels] + 0.01 * rng.normal(size=(200, 4))
    >>> result = keras_vae.evaluation.logistic_regression(
    ...     codes[:100], labels[:100], codes[100:], labels[100:]
    ... )
    >>> result.error
    0.0
    """
    x, y = _examples(codes_train, labels_train, "train")
    x_test, y_test = _examples(codes_test, labels_test, "test")
    if x.shape[1] != x_test.shape[1]:
        raise ValueError(
            f"`codes_test` must have {x.shape[1]} numbers in each row, as "
            "`codes_train`. Received: codes_test of shape "
            f"{np.shape(codes_test)}"
        )
    Cs = _positive_numbers(Cs)
    max_iter = positive_int("max_iter", max_iter)
    held_out, rest = _split(y, num_validation, seed)
    shift, scale = _standardization(x, standardize)
    x = (x - shift) / scale

    classifier, errors = _choose(x, y, held_out, rest, Cs, max_iter, verbose)
    converged = _fit(classifier, x, y)
    # In the units of the codes again.
    classifier.coef_ = classifier.coef_ / scale
    classifier.intercept_ = (
        classifier.intercept_ - classifier.coef_ @ shift
    ).astype("float32")
    result = LogisticRegressionResult(
        _error(classifier, x_test, y_test),
        classifier.C,
        errors,
        int(classifier.n_iter_[0]),
        converged,
        classifier,
    )
    _say(verbose, classifier, "test", result.error)
    return result


# === Fits ===


def _choose(
    x: Array,
    y: Array,
    held_out: Array,
    rest: Array,
    Cs: Sequence[float],
    max_iter: int,
    verbose: int,
) -> tuple[Any, dict[float, float]]:
    """Classifier to go on from, with the best C; error of each C."""
    from sklearn.linear_model import LogisticRegression

    classifier = LogisticRegression(C=Cs[0], max_iter=max_iter, warm_start=True)
    if len(Cs) == 1:
        return classifier, {}
    errors: dict[float, float] = {}
    best: Any = None
    x_rest, x_held_out = x[rest], x[held_out]
    for C in Cs:
        _fit(classifier.set_params(C=C), x_rest, y[rest])
        errors[C] = _error(classifier, x_held_out, y[held_out])
        _say(verbose, classifier, "validation", errors[C])
        # Of equals, the one with the strongest penalty.
        if best is None or errors[C] < errors[best.C]:
            best = copy.deepcopy(classifier)
    if len(best.classes_) < len(np.unique(y)):
        # All examples of some label were held out: nothing to go on from.
        best = LogisticRegression(C=best.C, max_iter=max_iter)
    return best, errors


def _fit(classifier: Any, x: Array, y: Array) -> bool:
    """Fits in place; whether the optimum was reached."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        classifier.fit(x, y)
    return not any(issubclass(w.category, ConvergenceWarning) for w in caught)


def _error(classifier: Any, x: Array, y: Array) -> float:
    """Wrong labels in percent."""
    return 100.0 * float(np.mean(classifier.predict(x) != y))


def _say(verbose: int, classifier: Any, name: str, error: float) -> None:
    if verbose:
        print(
            f"logistic regression, C = {classifier.C:g}: {name} error "
            f"{error:.2f} % after {classifier.n_iter_[0]} iterations",
            flush=True,
        )


# === Arguments ===


def _examples(
    codes: ArrayLike, labels: ArrayLike, split: str
) -> tuple[Array, Array]:
    """Rows of float32 and their labels."""
    codes = np.asarray(codes, "float32")
    if labels is None:
        raise ValueError(
            f"The codes need labels. Received: labels_{split}=None"
        )
    labels = np.asarray(labels)
    if labels.ndim != 1 or codes.ndim < 1 or len(labels) != len(codes):
        raise ValueError(
            f"`labels_{split}` must have shape (examples,), one label for each "
            f"row of `codes_{split}` of shape {codes.shape}. "
            f"Received: labels_{split} of shape {labels.shape}"
        )
    if len(codes) == 0:
        raise ValueError(
            f"`codes_{split}` must hold at least one example. "
            f"Received: codes_{split} of shape {codes.shape}"
        )
    data_checks.check_finite(codes, f"codes_{split}")
    if split == "train" and len(np.unique(labels)) < 2:
        raise ValueError(
            "`labels_train` must have at least two values. "
            f"Received: labels_train={labels[0]!r} throughout"
        )
    return codes.reshape(len(codes), -1), labels


def _positive_numbers(Cs: Sequence[float]) -> list[float]:
    try:
        numbers = sorted({float(C) for C in Cs})
    except (TypeError, ValueError):
        numbers = []
    if not numbers or not all(0.0 < C < np.inf for C in numbers):
        raise ValueError(
            "`Cs` must be a sequence of one or more positive numbers. "
            f"Received: Cs={Cs!r}"
        )
    return numbers


def _split(
    y: Array, num_validation: int | None, seed: int
) -> tuple[Array, Array]:
    """Indices of the held-out examples and of the others."""
    if num_validation is None:
        num_validation = min(10000, -(-len(y) // 6))
    num_validation = positive_int("num_validation", num_validation)
    order = np.random.default_rng(seed).permutation(len(y))
    held_out, rest = order[:num_validation], order[num_validation:]
    if len(rest) == 0 or len(np.unique(y[rest])) < 2:
        raise ValueError(
            "`num_validation` must leave examples of two labels out of "
            f"{len(y)}. Received: num_validation={num_validation}"
        )
    return held_out, rest


def _standardization(x: Array, standardize: str | None) -> tuple[Any, Any]:
    """What to subtract from the codes and what to divide them by."""
    if standardize not in (None, "global", "per_unit"):
        raise ValueError(
            '`standardize` must be None, "global" or "per_unit". '
            f"Received: standardize={standardize!r}"
        )
    if standardize is None:
        return np.float32(np.zeros(x.shape[1])), np.float32(1.0)
    shift = x.mean(axis=0, dtype="float64").astype("float32")
    variance = np.square(x - shift).mean(axis=0, dtype="float64")
    if standardize == "global":
        variance = variance.mean()
    # What never varies has no scale.
    return shift, np.float32(np.sqrt(np.where(variance > 0, variance, 1.0)))
