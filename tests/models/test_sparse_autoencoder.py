"""The penalty over the hidden layers that were named."""

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae import callbacks
from keras_vae import schedules
from keras_vae.models import hidden_layers

EVENT = (4, 4, 1)
SIZE = 3


@pytest.fixture
def x(digits):
    return digits[:12, 2:6, 2:6]


def dense(units, activation, name):
    return keras.layers.Dense(units, activation=activation, name=name)


def networks(functional=False):
    """The same initial weights at each call."""
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential(
        [
            keras.Input(EVENT),
            keras.layers.Flatten(name="flatten"),
            dense(6, "sigmoid", "below"),
            dense(SIZE, "sigmoid", "code"),
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((SIZE,)),
            dense(5, "sigmoid", "above"),
            dense(16, None, "pixels"),
            keras.layers.Reshape(EVENT, name="image"),
        ],
        name="decoder",
    )
    if functional:
        encoder = keras.Model(encoder.inputs[0], encoder.outputs[0])
        decoder = keras.Model(decoder.inputs[0], decoder.outputs[0])
    return encoder, decoder


def sparse(functional=False, **kwargs):
    model = keras_vae.SparseAutoencoder(
        *networks(functional), **{"seed": 5, **kwargs}
    )
    model.build((None, *EVENT))
    return model


def fit(model, x, epochs=1, batch_size=4, **kwargs):
    if not model.compiled:
        model.compile(keras.optimizers.SGD(0.02, momentum=0.9))
    return model.fit(
        x,
        batch_size=batch_size,
        shuffle=False,
        verbose=0,
        epochs=epochs,
        **kwargs,
    ).history


def reference(activations, rho):
    q = np.asarray(activations, "float64").mean(0)
    return np.sum(
        rho * np.log(rho / q) + (1 - rho) * np.log((1 - rho) / (1 - q))
    )


def activations(model, x):
    """Of each layer, computed one after the other."""
    found, value = {}, x
    for network in (model.encoder, model.decoder):
        for layer in network.layers:
            if not isinstance(layer, keras.layers.InputLayer):
                value = layer(value)
                found[layer.name] = value
    return found


@pytest.mark.parametrize("beta", [0.0, schedules.LinearWarmUp(9, 0.0, 0.0)])
def test_no_penalty_is_an_autoencoder(x, beta):
    autoencoder = keras_vae.Autoencoder(*networks(), seed=5)
    model = sparse(beta=beta)
    one, two = fit(model, x), fit(autoencoder, x)
    assert one["loss"] == two["loss"]
    assert one["sparsity_loss"][0] > 0
    for a, b in zip(
        model.trainable_weights, autoencoder.trainable_weights, strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize(
    "layers", [None, ["code"], ["below"], ["above", "code", "below"]]
)
def test_penalty_is_the_sum_over_the_named_layers(x, functional, layers):
    model = sparse(functional, rho=0.2, layers=layers)
    found = activations(model, x)
    terms = model.compute_terms(x, None, training=True)
    expected = sum(reference(found[n], 0.2) for n in layers or ["code"])
    assert terms["sparsity_loss"].shape == ()
    np.testing.assert_allclose(terms["sparsity_loss"], expected, rtol=1e-5)
    error = np.sum(np.square(x - found["image"]), axis=(1, 2, 3))
    np.testing.assert_allclose(terms["reconstruction_loss"], error, rtol=1e-5)


def test_nothing_counts_twice(x):
    model = sparse(beta=7.0, layers=["below", "above"])
    terms = model.compute_terms(x, None, training=False)
    assert model.losses == []
    model.compile()
    logs = model.evaluate(x, batch_size=12, verbose=0, return_dict=True)
    np.testing.assert_allclose(
        logs["loss"],
        np.mean(terms["reconstruction_loss"]) + 7 * terms["sparsity_loss"],
        rtol=1e-5,
    )


def test_beta_follows_the_step(x):
    """The first step is one of beta = 5, the second one of beta = 0."""
    model = sparse(beta=schedules.LinearWarmUp(1, start=5.0, end=0.0))
    five, none = sparse(beta=5.0), sparse(beta=0.0)
    for one, two in ((model, five), (model, none)):
        two.set_weights(one.get_weights())
        for each in (one, two):
            each.compile(keras.optimizers.SGD(0.02))
        assert fit(one, x[:4])["loss"] == fit(two, x[:4])["loss"]
        for a, b in zip(
            one.trainable_weights, two.trainable_weights, strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_training_reaches_the_target(x):
    model = sparse(rho=0.3, beta=20.0, layers=["below", "code", "above"])
    model.compile(keras.optimizers.Adam(0.02))
    fit(model, np.tile(x, (200, 1, 1, 1)), batch_size=12)
    found = activations(model, x)
    for name in ("below", "code", "above"):
        np.testing.assert_allclose(np.mean(found[name], 0), 0.3, atol=0.02)


def test_a_running_mean_per_layer(x):
    model = sparse(layers=["below", "above"], momentum=0.5)
    sizes = [r.moving_sum.shape for r in model.regularizers]
    assert sizes == [(6,), (5,)]
    means = [[], []]
    for batch in (x[:4], x[4:8]):
        found = activations(model, batch)
        for mean, name in zip(means, ("below", "above")):
            mean.append(np.mean(found[name], 0))
        terms = model.compute_terms(batch, None, training=True)
    expected = sum(
        reference([(0.25 * one + 0.5 * two) / 0.75], 0.05) for one, two in means
    )
    np.testing.assert_allclose(terms["sparsity_loss"], expected, rtol=1e-4)


def test_a_subclassed_network_has_a_code(x):
    class Encoder(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.flatten = keras.layers.Flatten()
            self.code = keras.layers.Dense(SIZE, activation="sigmoid")

        def build(self, input_shape):
            self.code.build((None, 16))

        def compute_output_shape(self, input_shape):
            return (None, SIZE)

        def call(self, x):
            return self.code(self.flatten(x))

    model = keras_vae.SparseAutoencoder(Encoder(), networks()[1])
    history = fit(model, x)
    assert np.isfinite(history["sparsity_loss"][0])
    model = keras_vae.SparseAutoencoder(
        Encoder(), networks()[1], layers=["code"]
    )
    with pytest.raises(ValueError, match=r"Received: layers=\['code'\]"):
        fit(model, x)


# === Saved ===


@pytest.mark.parametrize("momentum", [None, 0.75])
def test_resume_is_exact(x, momentum, tmp_path):
    def new():
        return sparse(
            beta=schedules.LinearWarmUp(9),
            momentum=momentum,
            layers=["below", "above"],
        )

    whole, first, second = new(), new(), new()
    fit(whole, x, epochs=3)
    backup = callbacks.ExactBackup(tmp_path / "backup")
    fit(first, x, epochs=2, callbacks=[backup])
    second.compile(keras.optimizers.SGD(0.02, momentum=0.9))
    epoch = callbacks.ExactBackup(tmp_path / "backup").restore(second)
    assert epoch == 2
    fit(second, x, epochs=3, initial_epoch=epoch)
    for one, two in zip(whole.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_names_survive_a_file(x, tmp_path):
    model = sparse(layers=["above", "below"])
    fit(model, x)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert list(restored.sparse_layers) == ["above", "below"]
    assert fit(restored, x) == fit(model, x)


# === Bad input ===


@pytest.mark.parametrize(
    "layers", [["belo"], ["below", "below"], ["keras_tensor"]]
)
def test_unknown_layers_are_named(layers):
    with pytest.raises(ValueError, match="'below', 'code'.*Received: layers="):
        sparse(layers=layers)


def test_a_name_in_both_networks():
    encoder, decoder = networks()
    keras.utils.set_random_seed(1)
    encoder.layers[-1].name = "above"
    model = keras_vae.SparseAutoencoder(encoder, decoder, layers=["above"])
    with pytest.raises(ValueError, match="one layer"):
        model.build((None, *EVENT))


def test_a_layer_used_twice():
    shared = keras.layers.Dense(4, activation="sigmoid", name="shared")
    inputs = keras.Input((4,))
    network = keras.Model(inputs, shared(shared(inputs)))
    with pytest.raises(ValueError, match="once.* Received: layer='shared'"):
        hidden_layers.with_activations(network, ["shared"])


def test_a_layer_that_is_in_another_network_too():
    shared = keras.layers.Dense(4, activation="sigmoid", name="shared")
    first = keras.Sequential([keras.Input((4,)), shared])
    second = keras.Sequential([keras.Input((4,)), keras.layers.ReLU(), shared])
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    for network in (first, second):
        call = hidden_layers.with_activations(network, ["shared"])
        output, (activation,) = call(x, training=False)
        np.testing.assert_array_equal(output, network(x))
        np.testing.assert_array_equal(activation, network(x))


@pytest.mark.parametrize("layers", ["code", [], ()])
def test_layers_that_are_no_list_of_names(layers):
    with pytest.raises(ValueError, match="Received: layers="):
        keras_vae.SparseAutoencoder(*networks(), layers=layers)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("rho", 0.0), ("rho", 1.0), ("beta", -1.0), ("momentum", 1.0)],
)
def test_arguments_out_of_range(argument, value):
    with pytest.raises(ValueError, match=f"Received: {argument}={value}"):
        keras_vae.SparseAutoencoder(*networks(), **{argument: value})
