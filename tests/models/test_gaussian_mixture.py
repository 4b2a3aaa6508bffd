"""The model whose discrete posterior, bound and optimum are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

import keras_vae
from recipes import gaussian_mixture as recipe

TYPES = ("full", "tied", "diag", "spherical")


def known(covariance_type="full", seed=0, **kwargs):
    """Three components in the plane."""
    rng = np.random.default_rng(seed)
    factors = 0.4 * rng.normal(size=(3, 2, 2)) + np.eye(2)
    covariances = factors @ np.swapaxes(factors, 1, 2)
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    return keras_vae.GaussianMixture(
        3,
        2,
        covariance_type,
        means=2 * rng.normal(size=(3, 2)),
        covariances={
            "full": covariances,
            "tied": covariances[0],
            "diag": variances,
            "spherical": variances[:, 0],
        }[covariance_type],
        weights=[0.2, 0.3, 0.5],
        **{"trainable": False, **kwargs},
    )


def matrices(model):
    """Covariances (K, dim, dim), from the arguments, float64."""
    covariances = model.initial_covariances
    shape = (model.num_components, model.dim, model.dim)
    if model.covariance_type in ("full", "tied"):
        return np.broadcast_to(covariances, shape)
    variances = np.reshape(covariances, (model.num_components, -1))
    return variances[..., np.newaxis] * np.eye(model.dim)


def log_joint(model, x):
    """log p(x, k) by SciPy, float64: (n, K)."""
    return np.log(model.initial_weights) + np.stack(
        [
            stats.multivariate_normal(m, c).logpdf(x)
            for m, c in zip(model.initial_means, matrices(model), strict=True)
        ],
        axis=1,
    )


def points(num=200, seed=1):
    return 3 * np.random.default_rng(seed).normal(size=(num, 2))


def distributions(num, seed=2):
    """Arbitrary q(k|x), some of which exclude components."""
    q = np.random.default_rng(seed).dirichlet([0.5] * 3, size=num)
    q[0], q[1] = [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]
    return q


# === Against closed forms ===


@pytest.mark.parametrize("covariance_type", TYPES)
def test_densities(covariance_type):
    model, x = known(covariance_type), points()
    joint = log_joint(model, x)
    evidence = special.logsumexp(joint, axis=1)
    np.testing.assert_allclose(model.log_prob(x), evidence, rtol=5e-6)
    posterior = np.exp(joint - evidence[:, np.newaxis])
    np.testing.assert_allclose(model.posterior(x), posterior, atol=1e-5)
    np.testing.assert_array_equal(model(x), model.posterior(x))
    np.testing.assert_array_equal(model.encode(x), joint.argmax(1))
    np.testing.assert_allclose(
        model.distribution().log_prob(x.astype("float32")), evidence, rtol=5e-6
    )


@pytest.mark.parametrize("covariance_type", TYPES)
def test_gap_of_the_bound_is_the_divergence(covariance_type):
    model, x = known(covariance_type), points() / 3
    q = distributions(len(x))
    log_posterior = special.log_softmax(log_joint(model, x), axis=1)
    divergence = np.sum(special.xlogy(q, q) - q * log_posterior, axis=1)
    assert np.all(divergence > 1e-4)
    np.testing.assert_allclose(
        model.elbo(x, q) + divergence, model.log_prob(x), atol=1e-5
    )


def test_bound_is_tight_at_the_posterior():
    model, x = known(), points()
    bound = model.elbo(x, model.posterior(x))
    np.testing.assert_allclose(bound, model.log_prob(x), atol=1e-5)


def test_term_is_the_mean_of_the_density():
    model, x = known(), points().astype("float32")
    model.compile()
    logs = model.evaluate(x, batch_size=64, return_dict=True, verbose=0)
    expected = -np.mean(model.log_prob(x))
    for name in ("loss", "neg_elbo", "neg_log_likelihood"):
        assert logs[name] == pytest.approx(expected, abs=1e-5)


def test_gradient_by_finite_differences():
    model = known(trainable=True)
    x = tf.constant(points(), "float32")
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(model.log_prob(x))
    gradients = tape.gradient(loss, model.trainable_variables)
    rng = np.random.default_rng(0)
    for variable, gradient in zip(
        model.trainable_variables, gradients, strict=True
    ):
        value = variable.numpy()
        direction = rng.normal(size=value.shape).astype("float32")
        ends = []
        for step in (1e-2, -1e-2):
            variable.assign(value + step * direction)
            ends.append(-np.mean(model.log_prob(x), dtype="float64"))
        variable.assign(value)
        difference = (ends[0] - ends[1]) / 2e-2
        expected = np.sum(gradient * direction)
        assert difference == pytest.approx(expected, rel=2e-2, abs=1e-4)


def test_bayes_decision():
    num = 100_000
    for distance in (1.0, 3.0):
        counted, exact = recipe.bayes_error(distance, num)
        error = np.sqrt(exact * (1 - exact) / num)
        assert abs(counted - exact) < 3.5 * error


# === Sampling ===


def test_moments_of_samples():
    model, num = known(), 100_000
    x = model.sample(num, seed=4).numpy().astype("float64")
    weights, means = model.initial_weights, model.initial_means
    mean = weights @ means
    apart = means - mean
    between = np.einsum("k,ki,kj->ij", weights, apart, apart)
    covariance = np.tensordot(weights, matrices(model), 1) + between
    error = np.sqrt(np.diag(covariance) / num)
    assert np.all(abs(x.mean(0) - mean) < 4 * error)
    np.testing.assert_allclose(np.cov(x.T), covariance, rtol=0.02, atol=0.05)
    # The density knows its own samples: mean log p(x) is minus the entropy,
    # which a second set of samples gives as well.
    other = model.sample(num, seed=5).numpy()
    assert not np.array_equal(x, other)
    entropies = [-np.mean(model.log_prob(s)) for s in (x, other)]
    assert entropies[0] == pytest.approx(entropies[1], abs=0.02)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_samples_by_seed(covariance_type):
    model = known(covariance_type)
    assert model.sample(5, seed=1).shape == (5, 2)
    np.testing.assert_array_equal(
        model.sample(5, seed=1), model.sample(5, seed=1)
    )
    assert np.ptp(model.sample(2)[0] - model.sample(2)[0]) > 0


def test_signatures():
    model = known()
    signatures = model.export_signatures()
    assert set(signatures) == {"serving_default", "log_prob"}
    sample, _ = signatures["serving_default"]
    drawn = sample(tf.constant(4), tf.constant([1, 2]))["samples"]
    np.testing.assert_array_equal(drawn, model.sample(4, seed=[1, 2]))
    log_prob, _ = signatures["log_prob"]
    density = log_prob(drawn)["log_prob"]
    np.testing.assert_array_equal(density, model.log_prob(drawn))


# === Learning ===


@pytest.mark.parametrize("covariance_type", TYPES)
def test_initialize_is_a_step_of_em(covariance_type):
    x = recipe.points_in_plane()
    model = keras_vae.GaussianMixture(
        3, 2, covariance_type, variance_floor=1e-3, seed=0
    )
    model.initialize(x, seed=0)
    before = np.mean(model.log_prob(x))
    with pytest.warns(ConvergenceWarning):
        em = recipe.expectation_maximization(model, x, max_iter=1)
    model.initialize(x, model.posterior(x))
    for name, value in model.parameters().items():
        np.testing.assert_allclose(
            value, getattr(em, f"{name}_"), rtol=1e-4, atol=1e-4
        )
    assert np.mean(model.log_prob(x)) > before


@pytest.mark.parametrize("covariance_type", TYPES)
def test_plane_against_scikit_learn(covariance_type):
    config = recipe.Config(covariance_type=covariance_type)
    x = recipe.points_in_plane()
    model, em = recipe.train_plane(config, x)
    start = keras_vae.GaussianMixture(3, 2, covariance_type)
    start.initialize(x)
    ours, theirs = np.mean(model.log_prob(x)), em.score(x)
    assert ours == pytest.approx(theirs, abs=0.02)
    assert ours > np.mean(start.log_prob(x)) + 1e-3


def test_digits_against_scikit_learn(digits):
    x = digits.reshape(len(digits), -1)
    x = PCA(10, random_state=0).fit_transform(x).astype("float32")
    model = keras_vae.GaussianMixture(10, 10, seed=0)
    model.initialize(x, seed=0)
    start = np.mean(model.log_prob(x))
    em = recipe.expectation_maximization(model, x)
    epochs, steps = 20, 200
    model.compile(recipe.optimizer(recipe.Config(), steps))
    model.fit(x, batch_size=180, epochs=epochs, verbose=0)
    ours, theirs = np.mean(model.log_prob(x)), em.score(x)
    assert ours == pytest.approx(theirs, abs=0.1)
    assert ours > start + 0.15


def test_known_parameters_stay():
    model, x = known(), points().astype("float32")
    before = model.parameters()
    model.compile("sgd")
    model.fit(x, epochs=2, verbose=0)
    assert model.trainable_variables == []
    for name, value in model.parameters().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("covariance_type", ["full", "spherical"])
def test_replicas(covariance_type, mirrored):
    x = points(29).astype("float32")

    def train(strategy):
        with strategy.scope():
            model = known(covariance_type, trainable=True)
            model.compile(keras.optimizers.SGD(0.01, momentum=0.9))
        # The last batch, of one row, leaves a replica without any.
        model.fit(x, batch_size=14, epochs=2, shuffle=False, verbose=0)
        return model

    one, two = train(tf.distribute.get_strategy()), train(mirrored)
    for name, value in two.parameters().items():
        np.testing.assert_allclose(value, one.parameters()[name], 1e-5, 1e-5)


# === Limits ===


def test_one_component_is_the_normal():
    x = points()
    model = keras_vae.GaussianMixture(1, 2, variance_floor=0.0)
    model.initialize(x)
    exact = stats.multivariate_normal(x.mean(0), np.cov(x.T, bias=True))
    np.testing.assert_allclose(model.log_prob(x), exact.logpdf(x), atol=1e-5)
    np.testing.assert_allclose(model.posterior(x), np.ones((len(x), 1)), 1e-6)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_far_away(covariance_type):
    model = known(covariance_type, trainable=True)
    x = tf.constant([[1e6, -1e6], [-1e6, 1e-6], [0.0, 1e6]])
    q = np.array([[1.0, 0.0, 0.0]] * 3)
    with tf.GradientTape() as tape:
        log_prob = model.log_prob(x)
    for value in (
        log_prob,
        model.posterior(x),
        model.elbo(x, q),
        *tape.gradient(log_prob, model.trainable_variables),
    ):
        assert np.isfinite(value).all()
    np.testing.assert_allclose(tf.reduce_sum(model(x), 1), 1.0, rtol=1e-6)
    exact = special.logsumexp(log_joint(model, x.numpy()), axis=1)
    np.testing.assert_allclose(log_prob, exact, rtol=1e-5)


def test_nearly_singular_covariance():
    # Squared, the condition of the factor would be out of float32's reach.
    angle = np.array([[0.8, -0.6], [0.6, 0.8]])
    covariance = angle @ np.diag([100.0, 1e-5]) @ angle.T
    model = keras_vae.GaussianMixture(
        1,
        2,
        means=np.zeros((1, 2)),
        covariances=covariance[np.newaxis],
        trainable=False,
    )
    x = (np.array([[1.0, 1e-3], [5.0, -4e-3]]) @ angle.T).astype("float32")
    exact = stats.multivariate_normal(np.zeros(2), covariance).logpdf(x)
    np.testing.assert_allclose(model.log_prob(x), exact, atol=2e-2)


def test_floor_bounds_the_variance():
    # On a line, the likelihood without a floor has no maximum.
    x = np.linspace(-1, 1, 50)[:, np.newaxis] * [[1.0, 2.0]]
    model = keras_vae.GaussianMixture(2, 2, variance_floor=1e-4, seed=0)
    model.initialize(x)
    model.compile(keras.optimizers.Adam(0.05))
    repeated = tf.data.Dataset.from_tensors(x.astype("float32")).repeat(100)
    model.fit(repeated, verbose=0)
    variances = np.linalg.eigvalsh(model.parameters()["covariances"])
    assert variances.min() > 0.9e-4
    assert variances.min() < 1e-3


def test_component_without_examples():
    x = points(20)
    q = np.zeros((20, 3))
    q[:, :2] = 0.5
    model = keras_vae.GaussianMixture(3, 2)
    model.initialize(x, q)
    assert np.isfinite(model.log_prob(x)).all()
    assert model.posterior(x).numpy()[:, 2].max() < 1e-6


# === Persistence ===


@pytest.mark.parametrize("covariance_type", TYPES)
def test_save_and_load(covariance_type, tmp_path):
    x = points(30).astype("float32")
    model = known(covariance_type, trainable=True)
    model.compile("sgd")
    model.fit(x, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.log_prob(x), model.log_prob(x))
    np.testing.assert_array_equal(loaded.initial_means, model.initial_means)
    again = keras_vae.GaussianMixture(
        3, 2, covariance_type, **model.parameters()
    )
    np.testing.assert_allclose(again.log_prob(x), model.log_prob(x), atol=1e-5)


def test_start_without_arguments():
    starts = [keras_vae.GaussianMixture(3, 2, seed=s) for s in (1, 1, 2)]
    means = [model.parameters()["means"] for model in starts]
    np.testing.assert_array_equal(means[0], means[1])
    assert not np.array_equal(means[0], means[2])
    parameters = starts[0].parameters()
    np.testing.assert_allclose(parameters["weights"], 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(
        parameters["covariances"], [np.eye(2)] * 3, rtol=1e-5
    )


# === Bad input ===

MEANS = np.zeros((2, 2))
UNIT = np.stack([np.eye(2)] * 2)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_components": 0}, "num_components=0"),
        ({"dim": 0}, "dim=0"),
        ({"dim": 1.5}, "dim=1.5"),
        ({"covariance_type": "banded"}, "covariance_type='banded'"),
        ({"variance_floor": -1.0}, "variance_floor=-1.0"),
        ({"means": np.zeros((3, 2))}, "`means` must be .* \\(2, 2\\)"),
        ({"means": MEANS * np.nan}, "`means` must be finite"),
        ({"covariances": np.eye(2)}, "`covariances` .* \\(2, 2, 2\\)"),
        ({"covariances": -UNIT}, "positive definite"),
        ({"covariances": 1e-7 * UNIT}, "above variance_floor"),
        ({"covariances": UNIT + [[0, 0], [1, 0]]}, "symmetric"),
        (
            {"covariance_type": "diag", "covariances": np.zeros((2, 2))},
            "positive definite",
        ),
        ({"weights": [0.5, 0.6]}, "sum 1"),
        ({"weights": [1.0, 0.0]}, "positive"),
        ({"weights": [1.0]}, "`weights` .* \\(2,\\)"),
        ({"trainable": False}, "must be known"),
        ({"trainable": False, "means": MEANS}, "must be known"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        keras_vae.GaussianMixture(**{"num_components": 2, "dim": 2, **kwargs})


@pytest.mark.parametrize(
    ("q", "message"),
    [
        (np.full((4, 3), 0.5), "sum 1"),
        (np.array([[1.5, -0.5, 0.0]] * 4), "probabilities"),
        (np.full((4, 3), np.nan), "probabilities"),
        (np.full((4, 2), 0.5), "shape \\(4, 3\\)"),
        (np.full((3, 3), 1 / 3), "shape \\(4, 3\\)"),
    ],
)
def test_bad_q(q, message):
    model, x = known(), points(4)
    with pytest.raises(ValueError, match=message):
        model.elbo(x, q)
    with pytest.raises(ValueError, match=message):
        model.initialize(x, q)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((4, 3), "float32"), None, "batch, 2"),
        (np.zeros((4,), "float32"), None, "batch, 2"),
        (np.zeros((4, 2), "int32"), None, "floats"),
        (np.full((4, 2), np.nan, "float32"), None, "finite"),
        (np.zeros((4, 2), "float32"), np.zeros((4, 2)), "without a target"),
    ],
)
def test_bad_data(x, y, message):
    model = known(trainable=True)
    model.compile("sgd")
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, verbose=0)


def test_wrong_shape_without_fit():
    with pytest.raises(ValueError, match="batch, 2"):
        known().log_prob(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="at least 3 examples"):
        known().initialize(points(2))
