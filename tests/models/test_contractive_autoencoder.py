import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import layers
from keras_vae import random
from keras_vae.models import jacobian

EVENT = (4, 4, 1)


@pytest.fixture
def x(digits):
    return digits[:12, 2:6, 2:6]


def networks(units=(5,), activation="sigmoid"):
    """The same initial weights at each call."""
    keras.utils.set_random_seed(1)
    encoder = keras_vae.networks.mlp_encoder(EVENT, units, activation)
    decoder = keras_vae.networks.mlp_decoder(units[-1], EVENT, units=(6,))
    return encoder, decoder


def contractive(units=(5,), activation="sigmoid", **kwargs):
    model = keras_vae.ContractiveAutoencoder(
        *networks(units, activation), "bernoulli", seed=5, **kwargs
    )
    model.build((None, *EVENT))
    return model


def terms(model, x, seed=0, training=True):
    with random.noise_scope(random.Noise(random.as_seed(seed))):
        return model.compute_terms(tf.constant(x), None, training)


def jacobians(model, x):
    """(batch, code, data), one code unit after the other."""
    x = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        units = tf.unstack(model.encode(x), axis=1)
    rows = [tape.gradient(unit, x) for unit in units]
    return np.reshape(tf.stack(rows, axis=1), (len(x), len(units), -1))


def fit(model, x, **kwargs):
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), **kwargs)
    return model.fit(x, batch_size=4, shuffle=False, verbose=0).history


# === Terms ===


@pytest.mark.parametrize("activation", ["linear", "relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("method", ["closed_form", "jacobian"])
def test_contractive_loss_is_the_squared_norm(activation, method, x):
    model = contractive(activation=activation, method=method)
    expected = np.sum(jacobians(model, x) ** 2, axis=(1, 2))
    loss = terms(model, x)["contractive_loss"]
    assert loss.shape == (12,)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    norm = model.jacobian_norm(x, batch_size=5)
    np.testing.assert_allclose(norm, np.sqrt(expected), rtol=1e-5)


def test_hutchinson_in_a_model_is_unbiased(x):
    model = contractive((6, 5), method="hutchinson", num_probes=4)
    expected = np.sum(jacobians(model, x) ** 2, axis=(1, 2))
    estimate = tf.function(
        lambda seed: terms(model, x, seed)["contractive_loss"]
    )
    drawn = np.stack([estimate(tf.constant([seed, 0])) for seed in range(400)])
    error = drawn.std(0) / np.sqrt(len(drawn))
    assert np.all(error < 0.05 * expected)
    np.testing.assert_array_less(np.abs(drawn.mean(0) - expected), 4.5 * error)
    np.testing.assert_allclose(
        model.jacobian_norm(x), np.sqrt(expected), rtol=1e-5
    )


@pytest.mark.parametrize("method", ["closed_form", "jacobian", "hutchinson"])
def test_second_order_loss(method, x):
    """Against the noise drawn again, and Jacobians of both places."""
    units = (5,) if method == "closed_form" else (6, 5)
    model = contractive(
        units,
        method=method,
        second_order_weight=1.0,
        second_order_stddev=0.5,
        second_order_samples=2,
        num_probes=3,
    )
    noise = random.Noise(random.as_seed(0))
    probes = None
    if method == "hutchinson":
        probes = np.where(noise.uniform([3, 12, 5], axis=1) < 0.5, -1.0, 1.0)
    expected = 0.0
    for _ in range(2):
        moved = x + 0.5 * noise.normal(x.shape)
        difference = jacobians(model, x) - jacobians(model, moved.numpy())
        if probes is not None:
            difference = np.einsum("pbj,bji->bpi", probes, difference)
            difference /= np.sqrt(3)
        expected += np.sum(difference**2, axis=(1, 2)) / 2
    loss = terms(model, x)["second_order_loss"]
    np.testing.assert_allclose(loss, expected, rtol=1e-3)


def test_second_order_loss_is_there_only_with_a_weight():
    names = set(terms(contractive(), np.zeros((2, *EVENT), "float32")))
    assert names == {"reconstruction_loss", "contractive_loss"}


@pytest.mark.parametrize("method", ["closed_form", "jacobian"])
def test_gradient_against_finite_differences(method, x):
    model = contractive(method=method, second_order_weight=1.0)
    kernel = model.encoder.layers[-1].kernel

    def total():
        values = terms(model, x)
        return tf.reduce_sum(
            values["contractive_loss"] + values["second_order_loss"]
        )

    with tf.GradientTape() as tape:
        loss = total()
    gradient = np.array(tape.gradient(loss, kernel))
    direction = np.sign(gradient)
    start = np.array(kernel)
    values = []
    for step in (1e-3, -1e-3):
        kernel.assign(start + step * direction)
        values.append(float(total()))
    np.testing.assert_allclose(
        (values[0] - values[1]) / 2e-3, np.abs(gradient).sum(), rtol=1e-3
    )


# === Choice of the method ===


def choice(*networks, code_size=5, method="auto"):
    return jacobian.choose(list(networks), (code_size,), method)


def test_closed_form_is_found_behind_shapes():
    dense = keras.layers.Dense(5, activation="tanh")
    inner = keras.Sequential([keras.Input((16,)), dense])
    inputs = keras.Input(EVENT)
    reshaped = keras.layers.Reshape((2, 8))(inputs)
    outer = keras.Model(inputs, inner(keras.layers.Flatten()(reshaped)))
    chosen = choice(outer)
    assert (chosen.method, chosen.dense) == ("closed_form", dense)
    assert choice(outer, method="exact").method == "closed_form"
    assert choice(outer, method="jacobian").method == "jacobian"
    assert choice(outer, method="hutchinson").method == "hutchinson"
    unbuilt = keras.Sequential([keras.layers.Flatten(), dense])
    assert choice(unbuilt).dense is dense


class Doubled(keras.Model):
    """A functional model whose call is another."""

    def call(self, x, training=False):
        return 2.0 * super().call(x, training=training)


def twice():
    """One Dense layer, applied two times."""
    dense = keras.layers.Dense(4, activation="tanh")
    x = keras.Input((4,))
    return keras.Model(x, dense(dense(x)))


def scaled():
    """An operation that is no layer."""
    x = keras.Input((4,))
    return keras.Model(x, 2.0 * keras.layers.Dense(5)(x))


def chain(*layers):
    return keras.Sequential([keras.Input((4,)), *layers])


def doubled():
    x = keras.Input((4,))
    return Doubled(x, keras.layers.Dense(5)(x))


OBSTACLES = {
    "two layers": (
        lambda: chain(keras.layers.Dense(6), keras.layers.Dense(5)),
        "2 Dense layers",
    ),
    "none": (lambda: chain(keras.layers.Flatten()), "0 Dense layers"),
    "dropout": (
        lambda: chain(keras.layers.Dropout(0.5), keras.layers.Dense(5)),
        "a Dropout",
    ),
    "softmax": (
        lambda: chain(keras.layers.Dense(5, activation="softmax")),
        "activation is 'softmax'",
    ),
    "reshaped": (
        lambda: chain(keras.layers.Dense(6), keras.layers.Reshape((2, 3))),
        "follows the Dense",
    ),
    "subclass": (doubled, "a Doubled"),
    "twice": (twice, "a Functional"),
    "operation": (scaled, "a Multiply"),
    "k-sparse": (
        lambda: chain(keras.layers.Dense(5), layers.KSparse(2)),
        "a KSparse",
    ),
    "channels first": (
        lambda: chain(
            keras.layers.Reshape((2, 2)),
            keras.layers.Flatten(data_format="channels_first"),
            keras.layers.Dense(5),
        ),
        "channels first",
    ),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_no_closed_form(name):
    make, message = OBSTACLES[name]
    network = make()
    assert choice(network).method == "jacobian"
    assert choice(network, method="exact").method == "jacobian"
    with pytest.raises(ValueError, match=message) as error:
        choice(network, method="closed_form")
    assert str(error.value).endswith("Received: method='closed_form'")


def test_wide_codes_are_estimated():
    encoder = chain(keras.layers.Dense(6), keras.layers.Dense(5))
    largest = jacobian.LARGEST_FULL
    assert choice(encoder, code_size=largest).method == "jacobian"
    assert choice(encoder, code_size=largest + 1).method == "hutchinson"
    assert choice(encoder, code_size=999, method="exact").method == "jacobian"


def test_a_model_without_a_closed_form_says_so_when_it_is_built():
    with pytest.raises(ValueError, match="2 Dense layers"):
        contractive((6, 5), method="closed_form")


# === Limits ===


def test_weight_zero_is_an_autoencoder(x):
    model = contractive(weight=0.0)
    plain = keras_vae.Autoencoder(*networks(), "bernoulli", seed=5)
    losses, expected = fit(model, x), fit(plain, x)
    np.testing.assert_allclose(losses["loss"], expected["loss"], rtol=1e-6)
    assert losses["contractive_loss"][0] > 0
    for one, two in zip(model.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)


def test_a_large_weight_makes_codes_constant(x):
    model = contractive((6, 5), weight=1e3)
    before = np.mean(model.jacobian_norm(x))
    model.compile(keras.optimizers.Adam(0.03))
    model.fit(x, epochs=40, verbose=0)
    assert np.mean(model.jacobian_norm(x)) < 0.05 * before


def test_weight_follows_a_schedule(x):
    schedule = keras_vae.schedules.LinearWarmUp(10, start=0.3, end=0.3)
    one, two = contractive(weight=0.3), contractive(weight=schedule)
    np.testing.assert_allclose(fit(one, x)["loss"], fit(two, x)["loss"])


@pytest.mark.parametrize("method", ["closed_form", "jacobian", "hutchinson"])
def test_jit_changes_nothing(method, x):
    histories = [
        fit(
            contractive(
                method=method, second_order_weight=0.5, second_order_samples=1
            ),
            x[:8],
            jit_compile=jit_compile,
        )
        for jit_compile in (False, True)
    ]
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-4)


@pytest.mark.parametrize("method", ["closed_form", "jacobian", "hutchinson"])
def test_evaluate_uses_the_method(method, x):
    model = contractive(method=method)
    model.compile("sgd")
    logs = [model.evaluate(x, verbose=0, return_dict=True) for _ in range(2)]
    assert logs[0] == logs[1]
    exact = np.mean(model.jacobian_norm(x) ** 2)
    near = logs[0]["contractive_loss"] == pytest.approx(exact, rel=1e-5)
    assert near == (method != "hutchinson")


@pytest.mark.parametrize("method", ["closed_form", "jacobian", "hutchinson"])
def test_saturated_codes_train_on(method, x):
    model = contractive(
        method=method, second_order_weight=1.0, second_order_samples=1
    )
    dense = model.encoder.layers[-1]
    dense.kernel.assign(1e6 * dense.kernel)
    history = fit(model, x)
    assert np.all(np.isfinite(list(history.values())))
    assert np.all(np.isfinite(model.jacobian_norm(x)))


def test_convolutions(x):
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential(
        [
            keras.Input(EVENT),
            keras.layers.Conv2D(2, 3, activation="tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    decoder = keras_vae.networks.mlp_decoder(3, EVENT, units=())
    model = keras_vae.ContractiveAutoencoder(encoder, decoder)
    history = fit(model, x)
    assert history["contractive_loss"][0] > 0
    expected = np.linalg.norm(jacobians(model, x), axis=(1, 2))
    np.testing.assert_allclose(model.jacobian_norm(x), expected, rtol=1e-4)


def test_half_precision_keeps_the_slope_of_saturated_units():
    """Where bfloat16 rounds the output to 1, the slope is not 0."""
    norms = []
    for dtype in ("float32", "mixed_bfloat16"):
        dense = keras.layers.Dense(1, activation="sigmoid", dtype=dtype)
        encoder = keras.Sequential([keras.Input((2,)), dense])
        decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
        model = keras_vae.ContractiveAutoencoder(encoder, decoder, seed=1)
        model.build((None, 2))
        dense.kernel.assign([[3.0], [5.0]])
        values = terms(model, np.ones((3, 2), "float32"))
        norms.append(values["contractive_loss"])
    h = 1 / (1 + np.exp(-8.0))
    np.testing.assert_allclose(norms[0], 34 * (h * (1 - h)) ** 2, rtol=1e-3)
    np.testing.assert_allclose(norms[1], norms[0], rtol=1e-6)


def test_two_replicas_measure_as_one(mirrored, x):
    norms = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            model = contractive((6, 5))
        norms.append(model.jacobian_norm(x[:11], batch_size=4))
    np.testing.assert_allclose(norms[0], norms[1], rtol=1e-5)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("weight", -0.1),
        ("weight", float("nan")),
        ("second_order_weight", -1.0),
        ("second_order_stddev", 0.0),
        ("second_order_samples", 0),
        ("num_probes", 0),
        ("method", "exact"),
    ],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(ValueError, match=f"Received: {argument}={value!r}"):
        contractive(**{argument: value})


def test_two_replicas_train_as_one_with_the_whole_jacobian(mirrored, x):
    weights = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            model = contractive((6, 5), method="jacobian")
            fit(model, x[:9])
        weights.append(model.get_weights())
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_xla_compiles_large_jacobians_in_seconds():
    """With `batch_jacobian` it takes minutes."""
    x = np.random.default_rng(0).uniform(size=(100, 784)).astype("float32")
    encoder = keras_vae.networks.mlp_encoder((784,), (500, 16), "tanh")
    decoder = keras_vae.networks.mlp_decoder(16, (784,), units=())
    model = keras_vae.ContractiveAutoencoder(encoder, decoder)
    model.compile("sgd", jit_compile=True)
    before = time.process_time()
    model.fit(x, batch_size=100, verbose=0)
    assert time.process_time() - before < 30
