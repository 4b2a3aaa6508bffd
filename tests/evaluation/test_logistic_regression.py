"""The linear classifier against its optimum, and what it refuses."""

import numpy as np
import pytest
from scipy import optimize
from scipy import special
from sklearn.datasets import load_digits

from keras_vae.evaluation import logistic_regression


@pytest.fixture(scope="module")
def data():
    """Three overlapping classes: codes and labels, to train and to test."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    means = rng.normal(size=(3, 5))
    codes = means[labels] + rng.normal(size=(400, 5))
    return codes[:200], labels[:200], codes[200:], labels[200:]


def optimum(x, y, C):
    """Weights (3, 5) and intercepts (3,), by a direct descent in float64."""

    def objective(flat):
        logits = x @ flat[:15].reshape(3, 5).T + flat[15:]
        log_prob = logits - special.logsumexp(logits, axis=1, keepdims=True)
        penalty = np.sum(flat[:15] ** 2) / (2 * C)
        return -log_prob[np.arange(len(y)), y].sum() + penalty

    found = optimize.minimize(objective, np.zeros(18), tol=1e-9).x
    return found[:15].reshape(3, 5), found[15:]


def test_the_optimum(data):
    result = logistic_regression(*data, Cs=[0.3], standardize=None)
    x, y, x_test, y_test = data
    weights, intercepts = optimum(x, y, 0.3)
    np.testing.assert_allclose(result.classifier.coef_, weights, atol=1e-3)
    # Logits are defined up to a constant.
    found = result.classifier.intercept_
    np.testing.assert_allclose(
        found - found.mean(), intercepts - intercepts.mean(), atol=1e-3
    )
    labels = np.argmax(x_test @ weights.T + intercepts, axis=1)
    assert result.error == pytest.approx(100 * np.mean(labels != y_test))
    assert 0 < result.error < 60
    assert (result.C, result.validation_errors) == (0.3, {})
    assert result.converged


@pytest.mark.parametrize("standardize", ["global", "per_unit"])
def test_standardised_codes_by_hand(data, standardize):
    x, y, x_test, y_test = data
    x = 5.0 + x * [1, 2, 3, 4, 100]
    centred = x - x.mean(axis=0)
    if standardize == "global":
        scale = np.sqrt(np.mean(centred**2))
    else:
        scale = centred.std(axis=0)
    weights, _ = optimum(centred / scale, y, 0.1)
    result = logistic_regression(
        *(x, y, x_test, y_test), Cs=[0.1], standardize=standardize
    )
    # The classifier that is returned takes the codes as they came.
    np.testing.assert_allclose(
        result.classifier.coef_ * scale, weights, atol=2e-3
    )
    share = np.mean(result.classifier.predict(x_test) != y_test)
    assert result.error == pytest.approx(100 * share)


def test_scale_and_shift_change_nothing(data):
    x, y, x_test, y_test = data
    one = logistic_regression(x, y, x_test, y_test)
    other = logistic_regression(1e4 * x + 3e4, y, 1e4 * x_test + 3e4, y_test)
    assert one.error == other.error
    assert one.C == other.C


def test_c_is_the_best_of_the_held_out(data):
    Cs = (1e-9, 1e-8, 0.1, 1.0)
    result = logistic_regression(*data, Cs=Cs, num_validation=50)
    errors = result.validation_errors
    assert tuple(errors) == Cs
    # The first two classify by the larger class alone.
    assert errors[1e-9] > errors[0.1]
    assert errors[result.C] == min(errors.values())
    # The last fit has all examples, and the same optimum from anywhere.
    alone = logistic_regression(*data, Cs=[result.C])
    np.testing.assert_allclose(
        result.classifier.coef_, alone.classifier.coef_, atol=2e-3
    )


def test_the_draw_follows_the_seed(data):
    draws = [
        logistic_regression(*data, num_validation=30, seed=seed)
        for seed in (0, 0, 1)
    ]
    first, again, other = [draw.validation_errors for draw in draws]
    assert first == again != other


def test_digits(digits):
    labels = load_digits().target
    result = logistic_regression(
        digits[:1200], labels[:1200], digits[1200:], labels[1200:]
    )
    assert result.error < 9.0
    assert result.classifier.coef_.dtype == np.float32


def test_too_few_iterations_are_said(data, recwarn):
    result = logistic_regression(*data, max_iter=2)
    assert not result.converged
    assert result.num_iterations == 2
    assert not recwarn.list


def test_labels_of_any_kind(data):
    x, y, x_test, y_test = data
    names = np.array(["one", "two", "three"])
    result = logistic_regression(x, names[y], x_test, names[y_test])
    assert result.error == logistic_regression(*data).error


def test_two_classes_and_a_dead_unit(data):
    x, y, x_test, y_test = [a.copy() for a in data]
    x[:, 2] = x_test[:, 2] = 7.0
    for standardize in (None, "global", "per_unit"):
        result = logistic_regression(
            x, y > 0, x_test, y_test > 0, standardize=standardize
        )
        assert 0 < result.error < 40


def test_a_label_that_is_only_held_out():
    x = np.arange(12.0)[:, None]
    y = np.array(6 * [0] + 5 * [1] + [2])
    seed = next(
        seed
        for seed in range(100)
        if np.random.default_rng(seed).permutation(12)[0] == 11
    )
    result = logistic_regression(
        x, y, x, y, num_validation=1, Cs=(0.1, 100.0), seed=seed
    )
    assert set(result.classifier.classes_) == {0, 1, 2}


def test_extreme_codes(data):
    x, y, x_test, y_test = data
    result = logistic_regression(1e15 * x, y, 1e15 * x_test, y_test)
    assert np.isfinite(result.error)
    assert result.error < 60


def test_verbose(data, capsys):
    logistic_regression(*data, Cs=(0.1, 1.0), verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "C = 0.1: validation error" in lines[0]


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (1, None, "labels_train=None"),
        (3, None, "labels_test=None"),
        (1, np.zeros(199), r"labels_train of shape \(199,\)"),
        (3, np.zeros((200, 3)), r"labels_test of shape \(200, 3\)"),
        (0, np.full((200, 5), np.nan), "1000 of 1000 values NaN"),
        (2, np.full((200, 5), np.inf), "codes_test with 1000"),
        (2, np.zeros((200, 4)), r"codes_test of shape \(200, 4\)"),
        (1, np.zeros(200), "labels_train=np.float64.* throughout"),
    ],
)
def test_bad_data(data, position, value, message):
    arguments = list(data)
    arguments[position] = value
    with pytest.raises(ValueError, match=f"Received: .*{message}"):
        logistic_regression(*arguments)


def test_no_data(data):
    x, y, _, _ = data
    with pytest.raises(ValueError, match="at least one example"):
        logistic_regression(x, y, x[:0], y[:0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Cs", (1.0, 0.0)),
        ("Cs", (-1.0,)),
        ("Cs", ()),
        ("Cs", 1.0),
        ("Cs", (np.nan,)),
        ("num_validation", 200),
        ("num_validation", 0),
        ("max_iter", 0),
        ("standardize", "local"),
    ],
)
def test_bad_arguments(data, name, value):
    with pytest.raises(ValueError, match=f"Received: {name}="):
        logistic_regression(*data, **{name: value})
