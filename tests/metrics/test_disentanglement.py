"""Scores of disentanglement: golden cases, and their protocols restated."""

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from tensorflow_probability import distributions as tfd

from keras_vae import datasets
from keras_vae.metrics import disentanglement as scores

SIZES = (3, 4, 5, 6, 8)


def factors_only(sizes=SIZES):
    """Data whose images are never looked at."""
    num = int(np.prod(sizes))
    return datasets.FactorImages(
        np.zeros((num, 1, 1, 1), "uint8"), sizes, [f"{n}" for n in sizes]
    )


@pytest.fixture(scope="module")
def data():
    return factors_only()


def factors_as_codes(data):
    return data.factors_of(np.arange(data.num_images)).astype("float64")


def exact(data):
    return scores.EncodedImages(factors_as_codes(data))


def noise(data, seed=0):
    rng = np.random.default_rng(seed)
    return scores.EncodedImages(rng.normal(size=(data.num_images, 5)))


def rotated(data):
    """Every unit tells of all factors."""
    codes = factors_as_codes(data)
    codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    rotation = stats.ortho_group.rvs(5, random_state=3)
    return scores.EncodedImages(codes @ rotation)


def tree():
    return DecisionTreeClassifier(random_state=0)


SCORES = {
    "beta_vae": lambda r, d: scores.beta_vae_score(r, d, 1000, 500),
    "factor_vae": lambda r, d: scores.factor_vae_score(r, d, 1000, 500),
    "mig": lambda r, d: scores.mig(r, d),
    "dci": lambda r, d: (
        scores.dci(r, d, 1500, 500, classifier=tree).disentanglement
    ),
    "sap": lambda r, d: scores.sap(r, d),
    "sap_svm": lambda r, d: scores.sap(r, d, 1500, 500, method="svm"),
}

# Of the factors themselves, at least; of codes without meaning, at most. An
# SVM of one unit separates 8 ordered classes badly.
EXPECTED = {
    "beta_vae": (0.99, 0.27),
    "factor_vae": (0.99, 0.3),
    "mig": (0.95, 0.02),
    "dci": (0.99, 0.25),
    "sap": (0.98, 0.02),
    "sap_svm": (0.2, 0.05),
}


@pytest.mark.parametrize("name", SCORES)
def test_factors_noise_and_rotation(data, name):
    lowest, chance = EXPECTED[name]
    best = SCORES[name](exact(data), data)
    assert lowest <= best <= 1.0
    assert 0.0 <= SCORES[name](noise(data), data) <= chance
    between = SCORES[name](rotated(data), data)
    assert between < best - 0.03
    if name != "sap_svm":
        assert between > SCORES[name](noise(data), data)


def test_boosted_trees_of_the_factors(data):
    """The classifier of the protocol."""
    found = scores.dci(exact(data), data, 1000, 500)
    assert found.disentanglement >= 0.99
    assert found.completeness >= 0.99
    assert found.informativeness == 1.0
    assert found.importance.shape == (5, 5)


def test_mig_of_the_factors_of_dsprites():
    """20 bins join neighbours of 40 angles and of 32 places."""
    data = factors_only((3, 6, 40, 32, 32))
    assert scores.mig(exact(data), data) == pytest.approx(0.902, abs=0.02)


@pytest.mark.parametrize("name", SCORES)
def test_scores_follow_the_seed(data, name):
    representation = rotated(data)
    assert SCORES[name](representation, data) == SCORES[name](
        representation, data
    )


# === Protocols, restated ===


def test_mig_restated(data):
    codes = rotated(data).codes
    rng = np.random.default_rng(0)
    factors = data.sample_factors(10_000, rng)
    z = codes[data.index(factors)]
    gaps = []
    for k, size in enumerate(SIZES):
        found = []
        for unit in z.T:
            edges = np.linspace(unit.min(), unit.max(), 21)
            table, _, _ = np.histogram2d(
                unit, factors[:, k], [edges, np.arange(size + 1) - 0.5]
            )
            p = table / table.sum()
            independent = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
            terms = p[p > 0] * np.log(p[p > 0] / independent[p > 0])
            found.append(terms.sum())
        second, first = sorted(found)[-2:]
        share = np.bincount(factors[:, k]) / len(factors)
        gaps.append((first - second) / -np.sum(share * np.log(share)))
    found = scores.mig(rotated(data), data)
    assert found == pytest.approx(np.mean(gaps), abs=1e-3)


def test_beta_vae_score_restated(data):
    codes = rotated(data).codes
    rng = np.random.default_rng(7)

    def points(num):
        x, labels = [], []
        for _ in range(num):
            k = rng.integers(5)
            a = [rng.integers(0, SIZES) for _ in range(64)]
            b = [rng.integers(0, SIZES) for _ in range(64)]
            for first, second in zip(a, b):
                second[k] = first[k]
            first, second = (codes[data.index(np.array(v))] for v in (a, b))
            x.append(np.mean(np.abs(first - second), axis=0))
            labels.append(k)
        return np.array(x), np.array(labels)

    model = LogisticRegression(max_iter=1000).fit(*points(2000))
    expected = model.score(*points(2000))
    found = scores.beta_vae_score(rotated(data), data, 2000, 4000)
    assert found == pytest.approx(expected, abs=0.03)


def test_factor_vae_score_restated(data):
    # One unit follows two factors: neither right nor wrong.
    codes = factors_as_codes(data)
    codes = np.stack([codes[:, 0], codes[:, 1], codes[:, 2] + codes[:, 3]], 1)
    rng = np.random.default_rng(7)
    variance = codes.var(axis=0, ddof=1)

    def votes(num):
        table = np.zeros((3, 5))
        for _ in range(num):
            k = rng.integers(5)
            factors = rng.integers(0, SIZES, (64, 5))
            factors[:, k] = factors[0, k]
            z = codes[data.index(factors)]
            table[np.argmin(z.var(axis=0, ddof=1) / variance), k] += 1
        return table

    majority = votes(3000).argmax(axis=1)
    table = votes(3000)
    expected = table[np.arange(3), majority].sum() / table.sum()
    found = scores.factor_vae_score(
        scores.EncodedImages(codes), data, 4000, 8000
    )
    assert 0.4 < expected < 0.9
    assert found == pytest.approx(expected, abs=0.03)


def test_dci_restated(data):
    codes = rotated(data).codes
    rng = np.random.default_rng(0)
    factors = data.sample_factors(400, rng)
    held = data.sample_factors(300, rng)
    importance, accuracy = np.zeros((5, 5)), []
    for k in range(5):
        model = GradientBoostingClassifier(random_state=0)
        model.fit(codes[data.index(factors)], factors[:, k])
        importance[:, k] = model.feature_importances_
        accuracy.append(model.score(codes[data.index(held)], held[:, k]))
    rows = importance / importance.sum(axis=1, keepdims=True)
    columns = importance / importance.sum(axis=0, keepdims=True)
    d = [1 - stats.entropy(row, base=5) for row in rows]
    c = [1 - stats.entropy(column, base=5) for column in columns.T]
    found = scores.dci(rotated(data), data, 400, 300)
    weights = importance.sum(axis=1) / importance.sum()
    assert found.disentanglement == pytest.approx(np.sum(weights * d))
    weights = importance.sum(axis=0) / importance.sum()
    assert found.completeness == pytest.approx(np.sum(weights * c))
    assert found.informativeness == pytest.approx(np.mean(accuracy))


def test_sap_restated(data):
    codes = rotated(data).codes
    rng = np.random.default_rng(0)
    factors = data.sample_factors(1500, rng)
    z = codes[data.index(factors)]
    held = data.sample_factors(500, rng)
    squares = np.array(
        [
            [np.corrcoef(unit, factor)[0, 1] ** 2 for factor in factors.T]
            for unit in z.T
        ]
    )
    ordered = np.sort(squares, axis=0)
    expected = np.mean(ordered[-1] - ordered[-2])
    found = scores.sap(rotated(data), data, 1500)
    assert found == pytest.approx(expected, abs=1e-6)
    accuracy = np.zeros((5, 5))
    for j in range(5):
        for k in range(5):
            model = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
            model.fit(z[:, [j]], factors[:, k])
            accuracy[j, k] = model.score(
                codes[data.index(held)][:, [j]], held[:, k]
            )
    ordered = np.sort(accuracy, axis=0)
    found = scores.sap(rotated(data), data, 1500, 500, method="svm")
    assert found == pytest.approx(np.mean(ordered[-1] - ordered[-2]), abs=1e-6)


# === q(z | x) ===


def normal_of(codes, width):
    """A posterior that is asked for all images, in their order."""
    parts = iter(np.array_split(codes, -(-len(codes) // 256)))

    def q(x):
        mean = next(parts)[: len(x)]
        return tfd.MultivariateNormalDiag(mean, np.full_like(mean, width))

    return q


def test_posterior_mig_of_narrow_and_wide_posteriors():
    """Far apart, units tell their factor; as wide as the range, little."""
    data = factors_only((3, 4, 5))
    codes = factors_as_codes(data)
    narrow = scores.posterior_mig(normal_of(codes, 0.02), data, 3000)
    wide = scores.posterior_mig(normal_of(codes, 3.0), data, 3000)
    assert narrow == pytest.approx(1.0, abs=0.05)
    assert wide < 0.25
    # Of half of the images the same, up to their number.
    part = scores.posterior_mig(
        normal_of(codes, 0.5), data, 20_000, max_images=30
    )
    whole = scores.posterior_mig(normal_of(codes, 0.5), data, 20_000)
    assert part == pytest.approx(whole, abs=0.15)


def test_posterior_information_in_closed_form():
    """Two normals at +-a: I(z; v) by quadrature."""
    data = factors_only((2, 3))
    sign = 2.0 * data.factors_of(np.arange(6))[:, 0] - 1.0
    a = 0.8
    calls = iter([slice(0, 6)])

    def q(x):
        mean = a * sign[next(calls)][:, None]
        return tfd.MultivariateNormalDiag(mean, np.ones_like(mean))

    z = np.linspace(-10, 10, 20_001)
    p = 0.5 * (stats.norm.pdf(z, a) + stats.norm.pdf(z, -a))
    entropy = -np.sum(p * np.log(p)) * (z[1] - z[0])
    expected = entropy - 0.5 * np.log(2 * np.pi * np.e)
    found = scores.posterior_mig(q, data, num=200_000, factors=[0])
    assert found == pytest.approx(expected / np.log(2), abs=0.01)


# === Codes of all kinds ===


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("kind", ["constant", "duplicated", "one"])
def test_poor_codes_give_a_number(data, name, kind):
    codes = {
        "constant": np.zeros((data.num_images, 3)),
        "duplicated": np.repeat(factors_as_codes(data)[:, :1], 2, axis=1),
        "one": factors_as_codes(data)[:, 4:],
    }[kind]
    found = SCORES[name](scores.EncodedImages(codes), data)
    assert 0.0 <= found <= 1.0
    if kind == "duplicated" and name in ("mig", "sap", "sap_svm"):
        assert found == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros((2, 0)), "at least one unit"),
        (np.zeros(5), "shape"),
        (np.array([[np.nan, 1.0]]), "finite"),
    ],
)
def test_codes_that_are_none(data, name, codes, message):
    with pytest.raises(ValueError, match=f"`representation`.*{message}"):
        SCORES[name](lambda x: np.repeat(codes, len(x), axis=0)
                     if codes.ndim == 2 else codes, data)  # fmt: skip


def test_one_image_tells_nothing(data):
    assert scores.mig(exact(data), data, num=1) == 0.0


def test_a_representation_is_a_function():
    data = datasets.sprites(size=8, num_positions=3)
    with pytest.raises(ValueError, match="`representation` must be a function"):
        scores.mig(np.zeros((3, 2)), data)
    with pytest.raises(ValueError, match="must hold codes of"):
        scores.mig(scores.EncodedImages(np.ones((3, 2))), data)


def test_functions_and_encoded_images_score_alike():
    data = datasets.sprites(size=8, num_positions=3)

    def representation(x):
        return x.reshape(len(x), -1) @ np.random.default_rng(0).normal(
            size=(64, 4)
        )

    table = scores.encode_all(representation, data, batch_size=37)
    assert len(table.codes) == data.num_images
    assert scores.mig(representation, data, 500) == scores.mig(table, data, 500)
    assert scores.beta_vae_score(
        representation, data, 30, 20
    ) == scores.beta_vae_score(table, data, 30, 20)


def test_bad_arguments(data):
    with pytest.raises(ValueError, match="`num_bins`"):
        scores.mig(exact(data), data, num_bins=1)
    with pytest.raises(ValueError, match="`factors`"):
        scores.mig(exact(data), data, factors=[9])
    with pytest.raises(ValueError, match="`method`"):
        scores.sap(exact(data), data, method="tree")
    for name in ("num_train", "num_test", "num_pairs"):
        with pytest.raises(ValueError, match=f"`{name}`"):
            scores.beta_vae_score(exact(data), data, **{name: 0})
    with pytest.raises(ValueError, match="`num_variance`"):
        scores.factor_vae_score(exact(data), data, num_variance=1)
    with pytest.raises(ValueError, match="`batch_size`"):
        scores.factor_vae_score(exact(data), data, batch_size=1)
