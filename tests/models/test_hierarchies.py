"""Chains of latent variables: exact cases, limits, forms of the bound."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import keras_vae
from keras_vae import likelihoods
from keras_vae import networks
from keras_vae import random
from keras_vae.models import markov_chain

MODELS = {
    "chain": keras_vae.HierarchicalVAE,
    "ladder": keras_vae.LadderVAE,
}
DIMS = (4, 3, 2)


def hierarchy(kind, batch_norm=False, separate=False, **kwargs):
    nets = networks.mlp_hierarchy(
        (8, 8, 1),
        DIMS,
        (12, 10, 8),
        ladder=kind == "ladder",
        batch_norm=batch_norm,
        seed=0,
    )
    if separate:
        _, kwargs["inference_networks"], _ = networks.mlp_hierarchy(
            (8, 8, 1), DIMS, (12, 10, 8), seed=1
        )
    model = MODELS[kind](
        *nets, list(DIMS), batch_norm=batch_norm, **{"seed": 0, **kwargs}
    )
    model.build((None, 8, 8, 1))
    # Apart from the initial weights, whose levels say almost nothing.
    rng = np.random.default_rng(1)
    for head in [*model.encoder_heads, *model.generator_heads]:
        kernel = head.dense.kernel
        kernel.assign(rng.normal(size=kernel.shape) * 0.3)
    return model


@pytest.fixture(params=["chain", "ladder", "separate"])
def model(request):
    if request.param == "separate":
        return hierarchy("ladder", separate=True)
    return hierarchy(request.param)


# === A chain of scalars, whose posterior is known ===

A, B, S, T = 0.8, 1.5, 0.6, 0.4  # z_1 ~ N(A z_2, S^2), x ~ N(B z_1, T^2)
Z1 = A**2 + S**2  # Var(z_1)
X = B**2 * Z1 + T**2  # Var(x)


class Affine(keras.layers.Layer):
    """slope * z, and a constant variance beside it unless that is None."""

    def __init__(self, slope, variance=None, **kwargs):
        super().__init__(**kwargs)
        self.slope, self.variance = slope, variance

    def call(self, z):
        if self.variance is None:
            return self.slope * z
        return self.slope * z, tf.fill(tf.shape(z), self.variance)

    def compute_output_shape(self, input_shape):
        shape = tuple(input_shape)
        return shape if self.variance is None else (shape, shape)


def affine(slope, variance=None, size=1):
    inputs = keras.Input((size,))
    return keras.Model(inputs, Affine(slope, variance)(inputs))


def exact_chain():
    """q(z_1 | x) q(z_2 | z_1) is the true posterior."""
    gain, back = Z1 * B / X, A / Z1
    return keras_vae.HierarchicalVAE(
        [
            affine(gain, Z1 - gain**2 * X),
            affine(back, 1 - back**2 * Z1),
        ],
        [affine(A, S**2)],
        affine(B),
        [1, 1],
        likelihoods.Normal(T),
        seed=0,
    )


def exact_ladder():
    """The message from below is p(x | z_1) as a function of z_1."""
    gain = A * B / X
    model = keras_vae.LadderVAE(
        [affine(1.0), affine(gain, 1 - gain**2 * X)],
        [affine(A, S**2)],
        affine(B),
        [1, 1],
        likelihoods.Normal(T),
        seed=0,
    )
    model.build((None, 1))
    raw = np.log(np.expm1(T**2 / B**2 - 1e-4))
    model.encoder_heads[0].dense.set_weights(
        [np.float32([[1 / B, 0.0]]), np.float32([0.0, raw])]
    )
    return model


@pytest.fixture
def scalars():
    x = np.random.default_rng(0).normal(0.0, np.sqrt(X), size=(50, 1))
    return x.astype("float32"), stats.norm(0, np.sqrt(X)).logpdf(x[:, 0])


@pytest.mark.parametrize("make", [exact_chain, exact_ladder])
def test_exact_posterior_makes_the_bound_tight(make, scalars):
    """Every importance weight is p(x): one sample is enough."""
    x, log_p = scalars
    model = make()
    for num_samples in (1, 3):
        np.testing.assert_allclose(
            model.log_likelihood(x, num_samples), log_p, rtol=1e-3, atol=1e-3
        )
    elbo = model.elbo(x, num_samples=4000)
    np.testing.assert_allclose(elbo, log_p, atol=0.15)
    assert elbo.mean() == pytest.approx(log_p.mean(), abs=0.02)


def test_samples_have_the_marginal_s_moments():
    """sample gives means of p(x | z_1): B z_1."""
    model = exact_chain()
    model.build((None, 1))
    x = np.asarray(model.sample(40_000, seed=1))
    assert x.mean() == pytest.approx(0.0, abs=0.03)
    assert x.var() == pytest.approx(B**2 * Z1, rel=0.03)


def test_a_wrong_posterior_costs_its_divergence(scalars):
    """log p(x) - ELBO = KL(q || posterior), in closed form."""
    x, log_p = scalars
    model = exact_chain()
    shift, gain = 0.3, Z1 * B / X
    variance = Z1 - gain**2 * X
    inputs = keras.Input((1,))
    moments = Affine(gain, variance)(inputs)
    # Wrong by a shift of the mean: KL = shift^2 / (2 variance), in z_1 alone.
    shifted = keras.Model(inputs, [moments[0] + shift, moments[1]])
    model = keras_vae.HierarchicalVAE(
        [shifted, *model.encoders[1:]],
        model.generators,
        model.decoder,
        [1, 1],
        likelihoods.Normal(T),
        seed=0,
    )
    gap = log_p.mean() - model.elbo(x, num_samples=4000).mean()
    assert gap == pytest.approx(shift**2 / (2 * variance), abs=0.02)


# === Limits ===


def moments_network(weights=None):
    inputs = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(inputs)
    params = keras.layers.Dense(6, name="params")(flat)
    mean, log_var = keras.ops.split(params, 2, axis=-1)
    return keras.Model(inputs, [mean, keras.ops.exp(log_var)])


def test_one_level_is_a_vae(binary_digits):
    """Terms, gradients and noise: the same losses in training."""
    keras.utils.set_random_seed(0)
    flat = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    decoder = networks.mlp_decoder(3, (8, 8, 1), units=(5,), seed=0)
    vae = keras_vae.VAE(flat, decoder, 3, seed=7)
    vae.build((None, 8, 8, 1))
    losses = {}
    for name, cls in MODELS.items():
        encoder = moments_network()
        encoder.set_weights(vae.posterior_layer.get_weights())
        copy = keras.models.clone_model(decoder)
        copy.set_weights(decoder.get_weights())
        one = cls([encoder], [], copy, [3], seed=7)
        one.compile(keras.optimizers.SGD(1e-3, momentum=0.9))
        history = one.fit(
            binary_digits[:64], batch_size=16, shuffle=False, verbose=0
        )
        losses[name] = history.history
    vae.compile(keras.optimizers.SGD(1e-3, momentum=0.9))
    expected = vae.fit(
        binary_digits[:64], batch_size=16, shuffle=False, verbose=0
    ).history
    for history in losses.values():
        for theirs, ours in (
            ("reconstruction_loss", "reconstruction_loss"),
            ("kl_loss", "kl_loss_1"),
            ("neg_elbo", "neg_elbo"),
        ):
            np.testing.assert_allclose(
                history[ours], expected[theirs], rtol=1e-5
            )


def test_importance_weights_of_one_sample_are_the_elbo(binary_digits):
    """num_importance_samples = 1 trains the bound that elbo estimates."""
    x = binary_digits[:20]
    model = hierarchy("ladder")
    noise = random.Noise(random.as_seed(3), 20)
    levels = model.infer(model.upward(tf.constant(x)), noise, 1)
    log_prob = model.likelihood.log_prob(model.decoder(levels[0].z), x)
    bound = log_prob + markov_chain.log_weight(levels)
    by_ratio = log_prob - tf.add_n(
        [level.kl("consistency") for level in levels]
    )
    np.testing.assert_allclose(bound, by_ratio, rtol=1e-4)


# === The bound ===


def test_terms_sum_to_the_bound(model, binary_digits):
    x = binary_digits[:200]
    levels = model.elbo_levels(x, num_samples=3)
    assert list(levels) == ["reconstruction_loss"] + [
        f"kl_loss_{n}" for n in (1, 2, 3)
    ]
    np.testing.assert_allclose(
        -sum(levels.values()), model.elbo(x, num_samples=3), rtol=1e-5
    )
    model.compile()
    logs = model.evaluate(x, batch_size=50, verbose=0, return_dict=True)
    total = sum(logs[name] for name in levels)
    assert logs["neg_elbo"] == pytest.approx(total, rel=1e-5)
    bound = -model.elbo(x, num_samples=100).mean()
    assert logs["neg_elbo"] == pytest.approx(bound, rel=0.02)


def test_forms_have_one_expectation(model, binary_digits):
    x = np.repeat(binary_digits[:1], 4000, axis=0)
    forms = {
        form: model.elbo_levels(x, form=form, seed=n)
        for n, form in enumerate(markov_chain.FORMS)
    }
    for name in forms["kl"]:
        a, b = forms["kl"][name], forms["consistency"][name]
        error = np.sqrt((a.var() + b.var()) / len(a))
        assert abs(a.mean() - b.mean()) < 4 * error + 1e-5, name


def test_closed_forms_of_a_ladder_have_less_variance(binary_digits):
    model = hierarchy("ladder")
    x = np.repeat(binary_digits[:1], 2000, axis=0)
    exact = model.elbo_levels(x)["kl_loss_1"]
    ratio = model.elbo_levels(x, form="consistency")["kl_loss_1"]
    assert exact.var() < 0.5 * ratio.var()


def test_divergences_against_monte_carlo(binary_digits):
    x = tf.constant(np.repeat(binary_digits[:1], 5000, axis=0))
    model = hierarchy("ladder")
    noise = random.Noise(random.as_seed(0), 5000)
    top = model.infer(model.upward(x), noise)[-1]
    estimate = -np.asarray(top.log_ratio())
    error = estimate.std() / np.sqrt(len(estimate))
    assert estimate.mean() == pytest.approx(float(top.kl()[0]), abs=4 * error)


def test_more_importance_samples_are_tighter(model, binary_digits):
    x = binary_digits[:100]
    elbo = model.elbo(x, num_samples=200).mean()
    one, many = (model.log_likelihood(x, k).mean() for k in (1, 300))
    assert one == pytest.approx(elbo, abs=0.3)
    assert elbo < many


def test_training_terms_of_many_samples(binary_digits):
    """2 x 3 samples: as two bounds of three, by NumPy."""
    x = tf.constant(binary_digits[:5])
    model = hierarchy("ladder", num_samples=2, num_importance_samples=3)
    seed = random.as_seed(4)
    with random.noise_scope(random.Noise(seed, 5)):
        terms = model.compute_terms(x, None, False)
    levels = model.infer(model.upward(x), random.Noise(seed, 5), 6)
    params = tf.reshape(model.decoder(levels[0].z), [6, 5, 8, 8, 1])
    log_prob = np.asarray(model.likelihood.log_prob(params, x), "float64")
    np.testing.assert_allclose(
        terms["reconstruction_loss"], -log_prob.mean(axis=0), rtol=1e-5
    )
    ratios = np.asarray(markov_chain.log_weight(levels)).reshape(6, 5)
    weights = np.exp(log_prob + ratios).reshape(2, 3, 5)
    bound = np.log(weights.mean(axis=1)).mean(axis=0)
    np.testing.assert_allclose(terms["neg_iw_bound"], -bound, rtol=1e-4)


def test_kl_of_units_sums_to_that_of_levels(model, binary_digits):
    x = binary_digits[:300]
    units = model.kl_per_unit(x, num_samples=4)
    levels = model.elbo_levels(x, num_samples=4)
    for level, (unit, size) in enumerate(zip(units, DIMS), 1):
        assert unit.shape == (size,)
        assert unit.sum() == pytest.approx(
            levels[f"kl_loss_{level}"].mean(), rel=1e-4
        )


def test_free_bits(binary_digits):
    """Of the mean of a level: what lies below costs the constant."""
    x = tf.constant(binary_digits[:50])
    plain = hierarchy("ladder").elbo_levels(binary_digits[:50])
    _, *kls = (value.mean() for value in plain.values())
    free = float(np.median(kls))
    model = hierarchy("ladder", free_bits=free)
    with random.noise_scope(random.Noise(random.as_seed(0), 50)):
        terms = model.compute_terms(x, None, False)
    means = [float(np.mean(terms[f"kl_loss_{n}"])) for n in (1, 2, 3)]
    assert min(means) < free < max(means)
    expected = sum(max(mean, free) for mean in means)
    assert float(terms["free_bits_loss"]) == pytest.approx(expected, rel=1e-5)
    assert terms["free_bits_loss"].shape == ()
    model.compile()
    logs = model.evaluate(x, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(
        logs["reconstruction_loss"] + logs["free_bits_loss"], rel=1e-5
    )
    assert logs["neg_elbo"] == pytest.approx(
        logs["reconstruction_loss"]
        + sum(logs[f"kl_loss_{n}"] for n in (1, 2, 3)),
        rel=1e-5,
    )


def test_warm_up_goes_on_at_its_step(binary_digits, tmp_path):
    model = hierarchy(
        "ladder", beta=keras_vae.schedules.LinearWarmUp(8), seed=0
    )
    model.compile(keras.optimizers.SGD(1e-3))
    model.fit(binary_digits[:64], batch_size=16, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    logs = copy.evaluate(binary_digits[:16], verbose=0, return_dict=True)
    kl = sum(logs[f"kl_loss_{n}"] for n in (1, 2, 3))
    assert logs["loss"] == pytest.approx(
        logs["reconstruction_loss"] + 0.5 * kl, rel=1e-5
    )


def test_training_learns(binary_digits):
    """A few epochs are enough to beat independent pixels."""
    p = binary_digits.mean(axis=0).clip(1e-3, 1 - 1e-3)
    independent = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
    for kind in MODELS:
        model = hierarchy(kind, batch_norm=True)
        model.compile(keras.optimizers.Adam(1e-2))
        history = model.fit(binary_digits, epochs=8, batch_size=50, verbose=0)
        assert history.history["neg_elbo"][-1] < independent - 1.5


# === Levels of its own ===


def test_upper_levels_are_kept():
    """Level 1: z_1 is drawn given the mean of z_2; level 2: both are."""
    model = exact_chain()
    x = np.float32([[0.5], [-2.0]])
    _, z_2 = (np.asarray(z)[:, 0] for z in model.encode_levels(x))
    draws = np.asarray(model.resample(x, 1, 20_000, seed=0))[..., 0]
    assert draws.shape == (2, 20_000)
    np.testing.assert_allclose(draws.mean(axis=1), B * A * z_2, atol=0.03)
    np.testing.assert_allclose(draws.var(axis=1), (B * S) ** 2, rtol=0.05)
    draws = np.asarray(model.resample(x, 2, 20_000, seed=0))[..., 0]
    np.testing.assert_allclose(draws.mean(axis=1), 0.0, atol=0.05)
    np.testing.assert_allclose(draws.var(axis=1), B**2 * Z1, rtol=0.05)


def test_resampling_many_levels(model, digits):
    for level in (1, 2, 3):
        images = model.resample(digits[:2], level, 5, seed=0)
        assert images.shape == (2, 5, 8, 8, 1)
        assert np.ptp(images, axis=1).max() > 1e-3


def test_interpolation_ends_at_the_codes(model, digits):
    points = model.interpolate(digits[:2], digits[2:4], num=5, level=3)
    assert points.shape == (2, 5, 8, 8, 1)
    for index, x in ((0, digits[:2]), (-1, digits[2:4])):
        ends = model.decode(model.encode_levels(x)[2], level=3)
        np.testing.assert_allclose(points[:, index], ends, rtol=1e-5)
    lowest = model.interpolate(digits[:2], digits[2:4], num=2)
    np.testing.assert_allclose(
        lowest[:, 0], model.reconstruct(digits[:2]), rtol=1e-5
    )


def test_traversal_moves_one_unit(model, digits):
    images = model.traverse(digits[0], units=[1], values=[-1.0, 2.0], level=2)
    z = np.array(model.encode_levels(digits[:1])[1])
    z[0, 1] = 2.0
    np.testing.assert_allclose(
        images[0, 1], model.decode(z, level=2)[0], rtol=1e-5
    )


def test_temperature(model):
    cold = np.asarray(model.sample(4, seed=0, temperature=0.0))
    np.testing.assert_allclose(cold, np.broadcast_to(cold[:1], cold.shape))
    first, same, other = (model.sample(4, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.allclose(first, other)


def test_latent_grids(binary_digits, tmp_path):
    dims = networks.conv_latent_shapes((8, 8, 1), (2, 3))
    for kind, cls in MODELS.items():
        nets = networks.conv_hierarchy(
            (8, 8, 1), (2, 3), (6, 5), ladder=kind == "ladder", seed=0
        )
        model = cls(*nets, dims, seed=0)
        model.compile(keras.optimizers.Adam(1e-2))
        history = model.fit(
            binary_digits[:200], epochs=3, batch_size=20, verbose=0
        ).history
        assert history["loss"][-1] < history["loss"][0] - 2.0
        codes = model.encode_levels(binary_digits[:3])
        assert [c.shape[1:] for c in codes] == [(4, 4, 2), (2, 2, 3)]
        assert model.kl_per_unit(binary_digits[:9])[1].shape == (2, 2, 3)
        assert np.isfinite(model.log_likelihood(binary_digits[:3], 20)).all()
        model.save(tmp_path / "grid.keras")
        copy = keras.saving.load_model(tmp_path / "grid.keras")
        np.testing.assert_array_equal(
            copy(binary_digits[:2]), model(binary_digits[:2])
        )
        assert copy.latent_shapes() == dims


def test_predicted_scale(digits):
    """Normal outputs of two channels: mean and scale."""
    nets = networks.mlp_hierarchy(
        (8, 8, 1), (3, 2), (8, 6), ladder=True, output_shape=(8, 8, 2), seed=0
    )
    model = keras_vae.LadderVAE(
        *nets, [3, 2], likelihoods.Normal("predicted"), seed=0
    )
    model.compile(keras.optimizers.Adam(1e-3))
    history = model.fit(digits[:200], epochs=4, batch_size=20, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert np.isfinite(model.log_likelihood(digits[:3], 20)).all()


def test_with_arguments_keeps_the_weights(binary_digits):
    model = hierarchy("ladder", beta=keras_vae.schedules.LinearWarmUp(5))
    tuned = model.with_arguments(beta=1.0, num_importance_samples=4)
    x = binary_digits[:10]
    np.testing.assert_array_equal(tuned(x), model(x))
    np.testing.assert_allclose(tuned.elbo(x), model.elbo(x), rtol=1e-6)
    tuned.compile(keras.optimizers.SGD(1e-2))
    history = tuned.fit(x, epochs=1, verbose=0).history
    assert history["loss"] == history["neg_iw_bound"]
    assert not np.allclose(tuned(x), model(x), atol=1e-6)
    with pytest.raises(ValueError, match="Received: \\['samples'\\]"):
        model.with_arguments(samples=3)


def test_with_arguments_takes_objects_and_numpy_numbers(binary_digits):
    model = hierarchy("ladder")
    tuned = model.with_arguments(
        beta=keras_vae.schedules.LinearWarmUp(10),
        likelihood=likelihoods.ContinuousBernoulli(),
        free_bits=np.float32(0.5),
    )
    assert isinstance(tuned.beta, keras_vae.schedules.LinearWarmUp)
    assert isinstance(tuned.likelihood, likelihoods.ContinuousBernoulli)
    assert tuned.free_bits == 0.5
    x = binary_digits[:2]
    np.testing.assert_array_equal(tuned.encode(x), model.encode(x))
    tuned = model.with_arguments(beta=np.float32(0.5))
    assert tuned.get_config()["beta"] == 0.5


def test_heads_of_all_groups_begin_apart():
    """Of equal shape, and still not of equal weights."""

    def kernels(seed):
        nets = networks.mlp_hierarchy((4,), (3, 3, 3), (6, 6, 6), ladder=True)
        _, inference, _ = networks.mlp_hierarchy((4,), (3, 3, 3), (6, 6, 6))
        model = keras_vae.LadderVAE(
            *nets, [3, 3, 3], inference_networks=inference, seed=seed
        )
        model.build((None, 4))
        heads = model.encoder_heads + model.generator_heads
        heads += model.inference_heads
        return np.stack([np.ravel(head.dense.kernel) for head in heads])

    found = kernels(0)
    assert len(np.unique(found, axis=0)) == len(found) == 7
    np.testing.assert_array_equal(found, kernels(0))
    assert not np.any(found == kernels(1))


def test_samples_of_a_model_that_was_not_built():
    nets = networks.mlp_hierarchy((4,), (3, 2), (6, 6))
    for call in (
        lambda model: model.sample(5, seed=0),
        lambda model: model.decode(np.zeros((5, 3), "float32")),
        lambda model: model.decode(np.zeros((5, 2), "float32"), level=2),
        lambda model: model.output_distribution(np.zeros((5, 3))).mean(),
    ):
        model = keras_vae.HierarchicalVAE(*nets, [3, 2], "continuous_bernoulli")
        assert call(model).shape == (5, 4)
        assert model.built


# === Bad input ===


def test_levels_that_do_not_chain():
    encoders, generators, decoder = networks.mlp_hierarchy(
        (8, 8, 1), DIMS, (12, 10, 8)
    )
    with pytest.raises(ValueError, match="`encoders` must hold 2"):
        keras_vae.HierarchicalVAE(encoders, generators, decoder, [4, 3])
    with pytest.raises(ValueError, match="`generators` must hold 2"):
        keras_vae.HierarchicalVAE(encoders, generators[:1], decoder, DIMS)
    with pytest.raises(ValueError, match="`latent_dims` must hold a size"):
        keras_vae.HierarchicalVAE([], [], decoder, [])
    model = keras_vae.HierarchicalVAE(encoders, generators, decoder, [4, 2, 3])
    with pytest.raises(ValueError, match=r"`encoders\[2\]`.*must chain"):
        model.build((None, 8, 8, 1))
    model = keras_vae.HierarchicalVAE(
        encoders, generators[::-1], decoder, list(DIMS)
    )
    with pytest.raises(ValueError, match=r"`generators\[0\]`.*must chain"):
        model.build((None, 8, 8, 1))
    # Those of a chain take latent variables, a ladder's take features.
    model = keras_vae.LadderVAE(encoders, generators, decoder, list(DIMS))
    with pytest.raises(ValueError, match=r"`encoders\[1\]`.*must chain"):
        model.build((None, 8, 8, 1))


@pytest.mark.parametrize(
    "arguments",
    [
        {"beta": -1.0},
        {"num_samples": 0},
        {"num_importance_samples": 0},
        {"free_bits": -0.5},
        {"free_bits": np.nan},
        {"num_importance_samples": 2, "beta": 0.5},
        {"num_importance_samples": 2, "free_bits": 0.5},
    ],
)
def test_numbers_out_of_range(arguments):
    with pytest.raises(ValueError, match="Received: "):
        hierarchy("ladder", **arguments)


def test_a_ladder_needs_features_below_the_top():
    model = keras_vae.LadderVAE(
        [affine(1.0, 1.0), affine(1.0)], [affine(1.0)], affine(1.0), [1, 1]
    )
    with pytest.raises(ValueError, match=r"`encoders\[0\]` must give features"):
        model.build((None, 1))


def test_unknown_level_and_form(digits):
    model = hierarchy("ladder")
    for level in (0, 4):
        with pytest.raises(ValueError, match=f"Received: level={level}"):
            model.resample(digits[:1], level, 2)
    with pytest.raises(ValueError, match="Received: form='exact'"):
        model.elbo(digits[:1], form="exact")


def test_numbers_of_samples(binary_digits):
    model, x = hierarchy("chain"), binary_digits[:2]
    for call in (model.elbo_levels, model.elbo, model.kl_per_unit):
        for num_samples in (0, -1, 1.5):
            with pytest.raises(ValueError, match="Received: num_samples="):
                call(x, num_samples=num_samples)
    np.testing.assert_array_equal(
        model.elbo(x, num_samples=np.int64(3)), model.elbo(x, num_samples=3)
    )
    found, expected = (model.kl_per_unit(x, n) for n in (np.int64(3), 3))
    for level, other in zip(found, expected):
        np.testing.assert_array_equal(level, other)


def test_separate_networks_are_as_many():
    with pytest.raises(ValueError, match="`inference_networks` must hold 2"):
        nets = networks.mlp_hierarchy((8, 8, 1), DIMS, (12, 10, 8), ladder=True)
        keras_vae.LadderVAE(*nets, list(DIMS), inference_networks=nets[1][:1])
