"""Logistic PCA against descent, exact data and its own monotony."""

import numpy as np
import pytest
from scipy import optimize
from scipy import special

from keras_vae.evaluation import LogisticPCA
from keras_vae.evaluation import logistic_pca
from keras_vae.evaluation import pca_reconstructions
from keras_vae.evaluation import squared_error

RIDGE = logistic_pca._RIDGE


def objective(x, codes, components, bias):
    """In float64, from the definition."""
    theta = codes @ components + bias
    cross_entropy = np.sum(np.logaddexp(0.0, theta) - x * theta)
    squares = sum(np.sum(a**2) for a in (codes, components, bias))
    return (cross_entropy + 0.5 * RIDGE * squares) / len(x)


@pytest.fixture(scope="module")
def data():
    """Away from 0 and 1: so few bits would be fitted by infinite logits."""
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 7)) + 0.3
    return 0.2 + 0.6 * (rng.random((40, 7)) < special.expit(theta))


def test_parabola_bounds_the_logistic_function():
    touch = np.array([-40.0, -3.0, -1e-6, 0.0, 0.2, 9.0])[:, None]
    t = np.linspace(-50.0, 50.0, 401)
    w = logistic_pca._weights(touch)
    constant = np.logaddexp(0.0, touch) - touch / 2 - w * touch**2 / 2
    bound = t / 2 + w * t**2 / 2 + constant
    assert np.all(bound >= np.logaddexp(0.0, t) - 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_objective_never_increases(digits, dtype):
    x = digits[:500].astype(dtype)
    model = LogisticPCA(5, max_iter=40, tolerance=0.0).fit(x)
    values = np.array(model.objectives)
    rounding = 1e-6 if dtype == "float32" else 1e-12
    assert len(values) == 40
    assert np.all(np.diff(values) <= rounding * values[0])
    assert values[-1] < 0.97 * values[0]
    assert model.components.dtype == model.bias.dtype == dtype


def test_logged_is_the_objective(data):
    model = LogisticPCA(2, max_iter=1000, tolerance=1e-6).fit(data)
    assert model.converged
    assert len(model.objectives) < 1000
    codes = model.transform(data)
    assert objective(
        data, codes, model.components, model.bias
    ) == pytest.approx(model.objectives[-1], rel=1e-4)


def test_blocks_change_nothing(data, monkeypatch):
    whole = LogisticPCA(2, max_iter=20).fit(data)
    monkeypatch.setattr(logistic_pca, "_BLOCK", 7)
    parts = LogisticPCA(2, max_iter=20).fit(data)
    np.testing.assert_allclose(whole.objectives, parts.objectives)
    np.testing.assert_allclose(whole.components, parts.components)
    np.testing.assert_allclose(
        whole.reconstruct(data), parts.reconstruct(data), atol=1e-3
    )


def test_probabilities_of_low_rank_are_recovered():
    rng = np.random.default_rng(1)
    theta = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 12)) - 0.5
    x = special.expit(theta)
    model = LogisticPCA(2, max_iter=500, tolerance=1e-7).fit(x)
    np.testing.assert_allclose(model.reconstruct(x), x, atol=5e-3)
    # The cross-entropy cannot be less than the entropy.
    entropy = np.sum(special.entr(x) + special.entr(1 - x)) / len(x)
    assert entropy < model.objectives[-1] < entropy + 0.01


def test_codes_are_those_of_a_direct_descent(data):
    model = LogisticPCA(2, max_iter=500, tolerance=0.0).fit(data)
    new = 1.0 - data[:10]
    codes = model.transform(new)
    for x, code in zip(new, codes):

        def loss(z, x=x):
            return objective(x[None], z[None], model.components, model.bias)

        best = optimize.minimize(loss, np.zeros(2), tol=1e-10)
        np.testing.assert_allclose(code, best.x, rtol=1e-2, atol=1e-2)


def test_a_direct_descent_finds_no_lower(data):
    model = LogisticPCA(2, max_iter=1000, tolerance=0.0).fit(data)
    codes = model.transform(data)

    def split(flat):
        return flat[:80].reshape(40, 2), flat[80:94].reshape(2, 7), flat[94:]

    def value_and_gradient(flat):
        codes, components, bias = split(flat)
        error = special.expit(codes @ components + bias) - data
        gradient = [
            error @ components.T + RIDGE * codes,
            codes.T @ error + RIDGE * components,
            error.sum(axis=0) + RIDGE * bias,
        ]
        value = objective(data, codes, components, bias)
        flat_gradient = np.concatenate([g.ravel() for g in gradient])
        return value, flat_gradient / len(data)

    start = np.concatenate(
        [codes.ravel(), model.components.ravel(), model.bias]
    )
    found = optimize.minimize(
        value_and_gradient, start, jac=True, options={"maxiter": 2000}
    )
    assert found.fun == pytest.approx(model.objectives[-1], rel=0.01)


def test_transform_leaves_the_model_alone(data):
    model = LogisticPCA(2, max_iter=20).fit(data)
    before = model.components.copy(), model.bias.copy()
    model.transform(1.0 - data)
    np.testing.assert_array_equal(before[0], model.components)
    np.testing.assert_array_equal(before[1], model.bias)


def test_digits_beat_pca(digits):
    train, test = digits[:1200], digits[1200:]
    model = LogisticPCA(8, max_iter=20).fit(train)
    reconstructions = model.reconstruct(test)
    assert reconstructions.shape == test.shape
    assert 0.0 <= reconstructions.min() <= reconstructions.max() <= 1.0
    assert squared_error(test, reconstructions) < squared_error(
        test, pca_reconstructions(train, test, 8)
    )


def test_pixels_that_never_vary_stay_finite():
    x = np.zeros((30, 5), "float32")
    x[:, 1] = 1.0
    x[::2, 2:4] = 1.0
    model = LogisticPCA(3, max_iter=200, tolerance=0.0).fit(x)
    assert np.isfinite(model.components).all()
    assert np.isfinite(model.objectives).all()
    np.testing.assert_allclose(model.reconstruct(x), x, atol=0.05)
    single = LogisticPCA(1, max_iter=20).fit(x[:, 2:3])
    np.testing.assert_allclose(
        single.reconstruct(x[:, 2:3]), x[:, 2:3], atol=0.2
    )


def test_verbose(data, capsys):
    LogisticPCA(2, max_iter=3, verbose=1).fit(data).transform(data)
    assert "objective" in capsys.readouterr().out
    LogisticPCA(2, max_iter=3).fit(data).transform(data)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_components", 0),
        ("max_iter", 0),
        ("tolerance", -1e-3),
        ("tolerance", 1.0),
    ],
)
def test_bad_arguments(name, value):
    with pytest.raises(ValueError, match=f"Received: {name}={value}"):
        LogisticPCA(**{"num_components": 2, name: value})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((9, 4), 1.5), "x between 1.5 and 1.5"),
        (np.ones((9, 4), "uint8"), "x of dtype uint8"),
        (np.full((9, 4), np.nan), "x with 36 of 36 values"),
        (np.ones((9, 1)), r"x of shape \(9, 1\)"),
        (np.ones((0, 4)), r"x of shape \(0, 4\)"),
    ],
)
def test_bad_data(x, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        LogisticPCA(2).fit(x)


def test_other_dimensions(data):
    with pytest.raises(ValueError, match="must have 7 dimensions"):
        LogisticPCA(2, max_iter=2).fit(data).transform(data[:, :6])
