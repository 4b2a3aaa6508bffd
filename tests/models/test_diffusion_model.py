"""Bounds and samples of a network that is known to be the best, and bad input.

The formulas themselves are in test_diffusion_process.py.
"""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import random
from keras_vae import schedules

EVENT = (8, 8, 1)
TERMS = ("prior_loss", "diffusion_loss", "reconstruction_loss")

# Data N(0.5, STD**2) are N(0, 4 STD**2) in the units of the chain.
STD = 0.25


@keras.saving.register_keras_serializable(package="test_diffusion_model")
class Best(keras.layers.Layer):
    """The expected noise, x or v of normal data, whatever the time."""

    def __init__(self, alpha_bars, prediction="noise", **kwargs):
        super().__init__(**kwargs)
        self.alpha_bars = np.asarray(alpha_bars)
        self.prediction = prediction

    def call(self, inputs):
        x_t, t = inputs
        num = len(self.alpha_bars)
        index = tf.cast(tf.round(t * num), "int32") - 1
        alpha_bar = tf.gather(tf.constant(self.alpha_bars, "float32"), index)
        alpha_bar = alpha_bar[:, tf.newaxis]
        alpha, sigma = tf.sqrt(alpha_bar), tf.sqrt(1.0 - alpha_bar)
        total = alpha_bar * 4 * STD**2 + sigma**2
        noise, x = sigma / total * x_t, alpha * 4 * STD**2 / total * x_t
        return {"noise": noise, "x": x, "v": alpha * noise - sigma * x}[
            self.prediction
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "alpha_bars": self.alpha_bars.tolist(),
            "prediction": self.prediction,
        }


def best(num_steps=100, noise="cosine", prediction="noise", dim=1, **kwargs):
    """A model of normal data, without a weight."""
    alpha_bars = schedules.get_noise(noise).alpha_bars(num_steps)
    kwargs = {"likelihood": "normal", "seed": 3, **kwargs}
    return keras_vae.DiffusionModel(
        Best(alpha_bars, prediction),
        noise,
        num_steps,
        event_shape=(dim,),
        prediction=prediction,
        **kwargs,
    )


def normal_data(num, dim=1, seed=0):
    x = 0.5 + STD * np.random.default_rng(seed).normal(size=(num, dim))
    return x.astype("float32")


def network(event_shape=EVENT, channels=1):
    """Two convolutions, told the time."""
    x_t, t = keras.Input(event_shape), keras.Input(())
    time = keras.layers.Dense(8)(keras.layers.Reshape((1, 1, 1))(t))
    hidden = keras.layers.Conv2D(8, 3, padding="same")(x_t)
    hidden = keras.layers.Activation("silu")(hidden + time)
    outputs = keras.layers.Conv2D(channels, 3, padding="same")(hidden)
    return keras.Model([x_t, t], outputs)


def small(num_steps=6, of=network, **kwargs):
    """A model of digits."""
    keras.utils.set_random_seed(1)
    kwargs = {
        "noise_schedule": "cosine",
        "num_levels": 17,
        "seed": 4,
        **kwargs,
    }
    return keras_vae.DiffusionModel(of(), num_steps=num_steps, **kwargs)


def unet():
    return keras_vae.networks.unet(
        EVENT, 8, (1,), attention=(), num_groups=4, seed=2
    )


def terms(model, x, training, seed=0):
    """Terms of one step, as NumPy arrays."""
    with random.noise_scope(random.Noise(random.as_seed(seed), len(x))):
        found = model.compute_terms(tf.constant(x), None, training)
    return {name: value.numpy() for name, value in found.items()}


def within(estimates, expected, errors=4.0):
    """Means of estimates are what is expected, within standard errors."""
    error = np.std(estimates) / math.sqrt(len(estimates))
    assert np.mean(estimates) == pytest.approx(
        expected, abs=float(errors * error) + 1e-5
    )


# === The bound ===


@pytest.mark.parametrize("prediction", ["noise", "x", "v"])
def test_bound_of_normal_data_is_almost_log_p(prediction):
    model = best(1000, "linear", prediction)
    x = normal_data(1000)
    log_p = -0.5 * ((x[:, 0] - 0.5) / STD) ** 2
    log_p -= math.log(STD * math.sqrt(2 * math.pi))
    gap = log_p - model.elbo(x, batch_size=1000, verbose=0)
    error = np.std(gap) / math.sqrt(len(gap))
    assert -3 * error < np.mean(gap) < 0.006 + 3 * error
    assert error < 0.05


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_terms_are_estimates_of_all_levels(variance):
    model = best(20, dim=2, variance=variance)
    x = normal_data(4000, dim=2)
    levels = model.elbo_levels(x, num_samples=2, batch_size=4000, verbose=0)
    assert levels["prior_loss"].shape == (4000,)
    assert levels["diffusion_loss"].shape == (4000, 19)
    assert levels["reconstruction_loss"].shape == (4000,)
    expected = {k: np.mean(v) for k, v in levels.items()}
    expected["diffusion_loss"] = levels["diffusion_loss"].sum(1).mean()
    for training in (False, True):
        found = terms(model, x, training)
        for name in TERMS:
            assert found[name].shape == (4000,)
            within(found[name], expected[name])
    bound = model.elbo(x, num_samples=2, batch_size=4000, verbose=0)
    assert -np.mean(bound) == pytest.approx(sum(expected.values()), rel=1e-5)


def test_levels_against_numpy():
    """The means of all levels in closed form."""
    model = best(10, dim=2, variance="posterior")
    chain = model._process
    x = normal_data(20000, dim=2)
    levels = model.elbo_levels(x, batch_size=20000, verbose=0)
    total = chain.alpha**2 * 4 * STD**2 + chain.sigma**2
    error = 2 * 4 * STD**2 * chain.sigma**2 / total
    for t in range(2, 11):
        to_x, _, variance = chain.posterior(t, t - 1)
        expected = to_x**2 * error[t] / (2 * variance)
        within(levels["diffusion_loss"][:, t - 2], expected)
    variance = chain.variance[1]
    expected = math.log(2 * math.pi * variance) + error[1] / (2 * variance)
    # The data are half as wide as the chain.
    within(levels["reconstruction_loss"], expected - 2 * math.log(2))


def test_simple_loss_is_the_error_of_the_noise():
    for prediction in ("noise", "x", "v"):
        model = best(10, prediction=prediction, dim=2)
        total = model._process.alpha**2 * 4 * STD**2 + model._process.sigma**2
        # What is left of the noise, given x_t.
        error = 2 * model._process.alpha**2 * 4 * STD**2 / total
        x = normal_data(20000, dim=2)
        for training in (True, False):
            within(terms(model, x, training)["simple_loss"], error[1:].mean())


def test_bits_of_discrete_data_are_a_code_length():
    """The bound of uniform data cannot be below their entropy."""
    x = np.random.default_rng(0).integers(0, 4, (50, 4)) / 3

    class OnlyData(keras.layers.Layer):
        def call(self, inputs):
            return 0.1 * inputs[0]

    model = keras_vae.DiffusionModel(
        OnlyData(), "cosine", 30, event_shape=(4,), num_levels=4
    )
    bits = model.bits_per_dim(x, num_samples=4, verbose=0)
    assert bits.shape == (50,)
    assert np.mean(bits) > 2.0
    nats = -model.elbo(x, num_samples=4, verbose=0)
    np.testing.assert_allclose(bits, nats / (4 * math.log(2)), rtol=1e-6)


def test_the_objective_chooses_what_is_minimised(digits):
    x = digits[:20]
    logs = {}
    for objective in ("simple", "bound"):
        model = small(objective=objective)
        model.compile("sgd")
        logs[objective] = model.evaluate(x, verbose=0, return_dict=True)
        bound = sum(logs[objective][name] for name in TERMS)
        assert logs[objective]["neg_elbo"] == pytest.approx(bound, rel=1e-5)
        again = model.evaluate(x, verbose=0, return_dict=True)
        assert again == logs[objective]
    simple, bound = logs["simple"], logs["bound"]
    assert simple["loss"] == simple["simple_loss"]
    assert bound["loss"] == pytest.approx(bound["neg_elbo"])
    assert simple["neg_elbo"] == bound["neg_elbo"]


def test_evaluation_clips_and_training_does_not(digits):
    x = digits[:50]
    for clip in (True, False):
        model = small(clip=clip)
        model.network.set_weights(
            [50 * np.ones_like(w) for w in model.network.get_weights()]
        )
        found = terms(model, x, training=False)
        # 64 pixels, each off by 2 at most; noise is a_t / s_t times that.
        chain = model._process
        largest = (chain.alpha[1:] / chain.sigma[1:] * 2) ** 2
        assert np.all(found["simple_loss"] <= 64 * largest.mean() * 6) == clip
        assert np.max(terms(model, x, training=True)["simple_loss"]) > 1e4


def test_one_step_has_two_terms():
    model = best(1, [0.9], variance="beta")
    x = normal_data(100)
    levels = model.elbo_levels(x)
    assert levels["diffusion_loss"].shape == (100, 0)
    for training in (True, False):
        found = terms(model, x, training)
        np.testing.assert_array_equal(found["diffusion_loss"], 0.0)
        np.testing.assert_allclose(found["prior_loss"], levels["prior_loss"])
    assert model.sample(3, seed=0).shape == (3, 1)


@pytest.mark.parametrize("noise", ["linear", "cosine"])
@pytest.mark.parametrize("prediction", ["noise", "x", "v"])
def test_extreme_predictions_give_finite_terms(prediction, noise):
    model = small(1000, noise_schedule=noise, prediction=prediction)
    weights = model.network.layers[-1].kernel
    weights.assign(tf.fill(weights.shape, 1e5))
    x = np.full((1000, *EVENT), 0.5, "float32")
    with random.noise_scope(random.Noise(random.as_seed(0))):
        with tf.GradientTape() as tape:
            found = model.compute_terms(tf.constant(x), None, True)
            loss = tf.add_n([tf.reduce_mean(v) for v in found.values()])
    # Every level is among them, the first too.
    assert np.all(np.isfinite(loss)) and np.any(found["reconstruction_loss"])
    for gradient in tape.gradient(loss, model.trainable_variables):
        assert np.all(np.isfinite(gradient))
    found = terms(model, x, training=False)
    assert all(np.all(np.isfinite(value)) for value in found.values())
    assert np.all(np.isfinite(model.sample(2, seed=0, num_steps=10)))


# === Samples ===


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"num_steps": 50},
        {"method": "ddim", "num_steps": 100},
        {"method": "ddim", "eta": 1.0},
    ],
)
@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_samples_have_the_moments_of_the_data(arguments, variance):
    model = best(200, variance=variance)
    x = model.sample(4000, seed=1, **arguments).numpy()
    assert np.mean(x) == pytest.approx(0.5, abs=4 * STD / math.sqrt(4000))
    # Of any Gaussian estimate of the variance, and of what 50 steps lose.
    assert np.std(x) == pytest.approx(STD, rel=0.08)
    # Two samples know nothing of each other.
    assert abs(np.corrcoef(x[1:, 0], x[:-1, 0])[0, 1]) < 0.06


def test_samples_of_all_predictions_agree():
    found = [
        best(50, prediction=kind).sample(20, seed=1).numpy()
        for kind in ("noise", "x", "v")
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-3, atol=1e-3)


def test_seeds_and_ddim(digits):
    model = small()
    first, same, other = (model.sample(3, seed=s) for s in (1, 1, 2))
    assert first.shape == (3, *EVENT)
    np.testing.assert_array_equal(first, same)
    assert not np.allclose(first, other)
    assert not np.allclose(model.sample(3), model.sample(3))
    # The first noise is all that DDIM has: one function of it.
    ddim = model.sample(3, seed=1, method="ddim").numpy()
    np.testing.assert_array_equal(ddim, model.sample(3, seed=1, method="ddim"))
    assert not np.allclose(ddim, model.sample(3, 1, None, "ddim", 0.5))
    for samples in (first, ddim):
        assert 0.0 <= np.min(samples) and np.max(samples) <= 1.0


def test_all_numbers_of_steps_share_one_graph():
    model = best(20)
    model.sample(2, seed=0, num_steps=2)
    function = model._functions["_sample"]
    for arguments in ({"num_steps": 5}, {}, {"method": "ddim", "eta": 0.5}):
        assert model.sample(3, seed=0, **arguments).shape == (3, 1)
    assert function.experimental_get_tracing_count() == 1


# === Denoising ===


def test_what_is_left_of_the_data():
    model = best(100)
    x = normal_data(2000)
    errors = []
    for t in (1, 10, 50, 100):
        x_hat = model.reconstruct(x, t).numpy()
        errors.append(np.std(x_hat - x) / STD)
        np.testing.assert_array_equal(x_hat, model.reconstruct(x, t))
        np.testing.assert_allclose(
            x_hat, model.denoise(model.diffuse(x, t), t), rtol=1e-6
        )
    assert errors[0] < 0.1 and errors == sorted(errors)
    # Nothing but the mean.
    np.testing.assert_allclose(x_hat, 0.5, atol=0.02)
    t = np.repeat([1, 100], 1000)
    assert np.std(model.reconstruct(x, t)[1000:]) < 0.02
    assert model.diffuse(x, 100).numpy().std() == pytest.approx(1.0, abs=0.1)


def test_a_call_is_deterministic(digits):
    model = small(20)
    y = model(digits[:3])
    assert y.shape == (3, *EVENT) and y.dtype == "float32"
    np.testing.assert_array_equal(y, model(digits[:3]))
    model.compile()
    np.testing.assert_allclose(
        model.predict(digits[:3], verbose=0), y, atol=1e-6
    )
    chain = model._process
    x_t = chain.alpha[2] * (2 * digits[:3] - 1)
    np.testing.assert_allclose(model.denoise(x_t, 2), y, atol=1e-5)


def test_interpolations_end_near_their_ends():
    model = best(200)
    x_start, x_end = normal_data(30), normal_data(30, seed=1)
    x = model.interpolate(x_start, x_end, num=5, t=2, seed=0).numpy()
    assert x.shape == (30, 5, 1)
    np.testing.assert_allclose(x[:, 0], x_start, atol=0.06)
    np.testing.assert_allclose(x[:, -1], x_end, atol=0.06)
    np.testing.assert_allclose(x[:, 2], (x_start + x_end) / 2, atol=0.06)
    np.testing.assert_array_equal(
        x, model.interpolate(x_start, x_end, num=5, t=2, seed=0)
    )
    assert small().interpolate(
        np.zeros((2, *EVENT)), np.ones((2, *EVENT)), num=3
    ).shape == (2, 3, *EVENT)


# === Training, saving, export ===


@pytest.mark.parametrize(
    ("objective", "of"), [("simple", unet), ("bound", network)]
)
def test_the_loss_goes_down(objective, of, digits):
    model = small(50, of, objective=objective, prediction="v")
    model.compile(keras.optimizers.Adam(3e-3))
    logs = model.fit(
        digits[:500],
        validation_data=(digits[500:900],),
        batch_size=50,
        epochs=3,
        verbose=0,
    ).history
    assert logs["loss"][-1] < logs["loss"][0]
    for name in ("val_loss", "val_neg_elbo"):
        assert logs[name][-1] < 0.98 * logs[name][0]


def test_save_with_averaged_weights(tmp_path, digits):
    model = small(noise_schedule=schedules.CosineNoise(0.1), variance="beta")
    model.compile(keras.optimizers.Adam(1e-3, use_ema=True))
    model.fit(digits[:20], batch_size=10, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.noise_schedule.offset == 0.1
    assert copy.event_shape == EVENT and int(copy.step) == 2
    np.testing.assert_array_equal(
        copy.sample(2, seed=1), model.sample(2, seed=1)
    )
    for one, two in zip(
        copy.optimizer.variables, model.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(one, two)
    levels = (
        m.elbo_levels(digits[:3])["diffusion_loss"] for m in (copy, model)
    )
    np.testing.assert_array_equal(*levels)


def test_a_layer_as_network_is_saved_too(tmp_path):
    model = best(5)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.event_shape == (1,)
    np.testing.assert_array_equal(
        copy.sample(2, seed=1), model.sample(2, seed=1)
    )


def test_export_and_reload(tmp_path, digits):
    model = small()
    version = keras_vae.export_model(model, tmp_path)
    served = tf.saved_model.load(version)
    seed = tf.constant([1, 2])
    samples = served.signatures["serving_default"](
        num=tf.constant(3), seed=seed
    )["samples"]
    np.testing.assert_allclose(samples, model.sample(3, seed=seed), atol=1e-5)
    estimates = [
        served.signatures["log_prob"](
            x=tf.constant(digits[:200]), seed=tf.constant([s, 0])
        )["log_prob"]
        for s in range(5)
    ]
    within(np.mean(estimates, axis=0) - model.elbo(digits[:200], 2), 0.0, 5.0)


def test_half_precision_keeps_terms_single(digits):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.network([digits[:2], np.ones(2)]).dtype == tf.bfloat16
    found = terms(model, digits[:4], training=True)
    assert {value.dtype.name for value in found.values()} == {"float32"}
    assert model(digits[:2]).dtype == tf.float32


# === Bad input ===


def with_nan(x):
    x = x.copy()
    x[0, 0, 0, 0] = np.nan
    return x


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: 255 * x, "divide 8-bit images by 255"),
        (lambda x: 0.9 * x, "17 levels"),
        (lambda x: x[:, :7], "must have shape"),
        (lambda x: x.astype("uint8"), "floats"),
        (with_nan, "NaN"),
        (lambda x: x[:0], "at least one example"),
    ],
)
def test_bad_data(change, message, digits):
    model = small()
    model.compile("sgd")
    with pytest.raises(ValueError, match=message):
        model.fit(change(digits[:4]), verbose=0)
    if len(change(digits[:4])):
        with pytest.raises(ValueError, match=message):
            model.elbo_levels(change(digits[:4]))


def test_a_target_is_an_error(digits):
    model = small()
    model.compile("sgd")
    with pytest.raises(ValueError, match="without a target"):
        model.fit(digits[:4], digits[:4], verbose=0)


def test_densities_have_no_bits_and_no_range():
    model = best(5)
    x = 10 * normal_data(4)
    assert np.all(np.isfinite(model.elbo(x)))
    with pytest.raises(ValueError, match="likelihood='normal'"):
        model.bits_per_dim(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise_schedule": "sigmoid"}, "`noise_schedule`.*'sigmoid'"),
        ({"noise_schedule": [0.1, 0.2]}, "`num_steps`.*num_steps=6"),
        ({"num_steps": 0}, "`num_steps`.*num_steps=0"),
        ({"prediction": "eps"}, "`prediction`.*prediction='eps'"),
        ({"objective": "elbo"}, "`objective`.*objective='elbo'"),
        ({"variance": "learned"}, "`variance`.*variance='learned'"),
        ({"likelihood": "bernoulli"}, "`likelihood`.*'bernoulli'"),
        ({"num_levels": 1}, "`num_levels`.*num_levels=1"),
        ({"event_shape": (8, 0, 1)}, "`event_shape`"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(**arguments)


def test_bad_networks():
    with pytest.raises(ValueError, match="`network` must be a Keras"):
        keras_vae.DiffusionModel(lambda inputs: inputs[0])
    with pytest.raises(ValueError, match=r"\(4, 4, 1\).*\(1, 4, 4, 2\)"):
        keras_vae.DiffusionModel(network((4, 4, 1), channels=2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.sample(1, num_steps=0), "num_steps=0"),
        (lambda m: m.sample(1, num_steps=7), "`num_steps`.*6.*num_steps=7"),
        (lambda m: m.sample(1, method="euler"), "method='euler'"),
        (lambda m: m.sample(1, eta=0.5), "eta=0.5"),
        (lambda m: m.reconstruct(np.zeros((1, *EVENT)), 0), "`t`.*t=0"),
        (lambda m: m.reconstruct(np.zeros((1, *EVENT)), 7), "`t`.*t=7"),
        (lambda m: m.denoise(np.zeros((1, *EVENT)), 0.5), "`t`.*t=0.5"),
        (
            lambda m: m.elbo_levels(np.zeros((1, *EVENT)), num_samples=0),
            "num_samples=0",
        ),
    ],
)
def test_bad_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call(small())


def test_floats_of_all_sizes_share_one_graph():
    model = small(2)
    x = np.random.default_rng(0).integers(0, 17, (3, *EVENT)) / 16
    expected = model.elbo(x.astype("float16"), np.int64(2))
    for dtype in ("float32", "float64"):
        found = model.elbo(x.astype(dtype), 2)
        np.testing.assert_array_equal(found, expected)


def test_not_built():
    alpha_bars = schedules.CosineNoise().alpha_bars(5)
    model = keras_vae.DiffusionModel(
        Best(alpha_bars), "cosine", 5, likelihood="normal"
    )
    with pytest.raises(ValueError, match="not built"):
        model.sample(1)
    # Data build it.
    assert model.elbo(normal_data(2)).shape == (2,)
    assert model.sample(1).shape == (1, 1)
