"""Stacks: what each level sees, what they are together, on disk and served."""

import doctest
import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

import keras_vae
from keras_vae import layers
from keras_vae import stacking

EVENT = (4, 4, 1)
SIZES = (16, 6, 4, 3)


@pytest.fixture
def x(digits):
    return digits[:24, 2:6, 2:6]


def autoencoder(
    level,
    cls=keras_vae.Autoencoder,
    likelihood="bernoulli",
    activation="sigmoid",
    **kwargs,
):
    """Level 0 takes images, the others the codes of the level below."""
    inputs, units = SIZES[level : level + 2]
    event_shape = EVENT if level == 0 else (inputs,)
    model = cls(
        keras.Sequential(
            [
                keras.Input(event_shape),
                keras.layers.Flatten(),
                keras.layers.Dense(units, activation, bias_initializer="ones"),
            ],
            name="encoder",
        ),
        keras.Sequential(
            [
                keras.Input((units,)),
                keras.layers.Dense(inputs, bias_initializer="ones"),
                keras.layers.Reshape(event_shape),
            ],
            name="decoder",
        ),
        likelihood,
        seed=level,
        **kwargs,
    )
    model.compile(keras.optimizers.SGD(0.01))
    return model


def stack(**kwargs):
    return [autoencoder(level, **kwargs) for level in range(3)]


def dae(**kwargs):
    return {
        "cls": keras_vae.DenoisingAutoencoder,
        "corruption": layers.MaskingNoise(0.5),
        **kwargs,
    }


def dense(x, layer, activation=lambda a: a):
    """One dense layer in float64."""
    kernel, bias = (np.asarray(w, "float64") for w in layer.weights)
    return activation(np.reshape(x, (len(x), -1)) @ kernel + bias)


# === Pretraining ===


class Recorder:
    """A fit function that keeps the data of each level."""

    def __init__(self, replace=False):
        self.seen = []
        self.replace = replace

    def __call__(self, index, model, x, validation):
        self.seen.append((index, model, x, validation))
        model.fit(x, batch_size=8, epochs=2, verbose=0)
        if self.replace:
            return keras.models.clone_model(model)
        return model.history


@pytest.mark.parametrize("kwargs", [{}, dae()], ids=["plain", "denoising"])
def test_each_level_is_trained_on_the_clean_codes_of_the_one_below(kwargs, x):
    models = stack(**kwargs)
    fit = Recorder()
    trained = stacking.pretrain(models, x[:20], x[20:], fit=fit)
    assert all(a is b for a, b in zip(trained, models, strict=True))
    # No level was touched after its own turn.
    expected = [x[:20], x[20:]]
    for level, (index, model, *data) in enumerate(fit.seen):
        assert index == level
        assert model is models[level]
        for array, clean in zip(data, expected, strict=True):
            np.testing.assert_allclose(array, clean, rtol=1e-5)
            assert array.dtype == np.float32
        layer = model.encoder.layers[-1]
        expected = [dense(a, layer, special.expit) for a in expected]


def test_a_model_that_fit_returns_takes_the_place(x):
    models = stack()
    fit = Recorder(replace=True)
    trained = stacking.pretrain(models, x, fit=fit)
    assert not any(a is b for a, b in zip(trained, models, strict=True))
    np.testing.assert_array_equal(
        fit.seen[1][2], trained[0].encode(x), strict=True
    )


def test_epochs_may_differ_and_validation_is_encoded_too(x):
    models = stacking.pretrain(
        stack(**dae()), x, x[:5], batch_size=8, epochs=[1, 2, 3], verbose=0
    )
    for epochs, model in zip((1, 2, 3), models, strict=True):
        assert len(model.history.history["val_loss"]) == epochs
        assert int(model.step) == 3 * epochs


def test_training_is_that_of_fit(x):
    keras.utils.set_random_seed(1)
    one = stack(**dae())
    keras.utils.set_random_seed(1)
    two = stack(**dae())
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0}
    stacking.pretrain(one, x, epochs=2, **arguments)
    data = x
    for model in two:
        model.fit(data, epochs=2, **arguments)
        data = np.asarray(model.encode(data))
    for a, b in zip(one, two, strict=True):
        for v, w in zip(a.weights, b.weights, strict=True):
            np.testing.assert_allclose(v, w, rtol=1e-6)


def test_codes_keep_their_axes():
    def level(channels, units):
        encoder = keras.Sequential(
            [
                keras.Input((4, 4, channels)),
                keras.layers.Conv2D(units, 1, activation="sigmoid"),
            ]
        )
        decoder = keras.Sequential(
            [keras.Input((4, 4, units)), keras.layers.Conv2D(channels, 1)]
        )
        model = keras_vae.Autoencoder(encoder, decoder, "bernoulli")
        model.compile("sgd")
        return model

    models = [level(1, 3), level(3, 2)]
    x = np.zeros((5, 4, 4, 1), "float32")
    stacking.pretrain(models, x, verbose=0)
    encoder, decoder = stacking.unroll(models)
    assert encoder.output_shape == decoder.input_shape == (None, 4, 4, 2)
    model = stacking.classifier(models, 7)
    assert model(x).shape == (5, 7)


def test_a_vae_may_be_a_level_but_not_unrolled(x):
    encoder = keras_vae.networks.mlp_encoder(EVENT, units=(5,))
    decoder = keras_vae.networks.mlp_decoder(6, EVENT, units=(5,))
    vae = keras_vae.VAE(encoder, decoder, 6)
    vae.compile("sgd")
    top = autoencoder(1, likelihood="squared_error")
    fit = Recorder()
    stacking.pretrain([vae, top], x, fit=fit)
    np.testing.assert_allclose(
        fit.seen[1][2], vae.posterior(x).mean(), rtol=1e-6
    )
    with pytest.raises(ValueError, match="not unrolled.*autoencoders\\[0\\]"):
        stacking.unroll([vae, top])


# === The deep autoencoder ===


def test_linear_levels_are_their_composition(x):
    models = stack(activation=None, likelihood="squared_error")
    encoder, decoder = stacking.unroll(models)
    codes = x
    for model in models:
        codes = dense(codes, model.encoder.layers[-1])
    np.testing.assert_allclose(encoder(x), codes, rtol=1e-5, atol=1e-5)
    outputs = codes
    for model in reversed(models):
        outputs = dense(outputs, model.decoder.layers[0])
    np.testing.assert_allclose(
        decoder(codes), outputs.reshape(-1, *EVENT), rtol=1e-5, atol=1e-4
    )


def deep(models):
    encoder, decoder = stacking.unroll(models)
    return keras_vae.Autoencoder(
        encoder, decoder, likelihood=models[0].likelihood
    )


def kinds():
    linear = {"activation": None, "k": 2, "inference_alpha": 1.5}
    return {
        "plain": {},
        "denoising": dae(),
        "k-sparse": {
            "cls": keras_vae.models.KSparseAutoencoder,
            "likelihood": "squared_error",
            **linear,
        },
    }


@pytest.mark.parametrize("kind", kinds())
def test_the_deep_autoencoder_is_the_levels_one_after_another(
    kind, x, tmp_path
):
    models = stack(**kinds()[kind])
    model = deep(models)
    codes = x
    for level in models:
        codes = level.encode(codes)
    np.testing.assert_allclose(model.encode(x), codes, rtol=1e-5, atol=1e-6)
    reconstruction = codes
    for level in reversed(models):
        reconstruction = level.decode(reconstruction)
    np.testing.assert_allclose(model(x), reconstruction, rtol=1e-5, atol=1e-6)

    model.compile(keras.optimizers.SGD(0.01))
    losses = model.fit(x, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert len(model.trainable_variables) == 12

    model.save(tmp_path / "deep.keras")
    restored = keras.saving.load_model(tmp_path / "deep.keras")
    assert len(restored.trainable_variables) == 12
    np.testing.assert_array_equal(restored(x), model(x))
    version = keras_vae.export_model(model, tmp_path / "served")
    served = tf.saved_model.load(version)
    np.testing.assert_allclose(
        served.signatures["serving_default"](x=x)["reconstruction"],
        model(x),
        rtol=1e-5,
        atol=1e-6,
    )


def test_the_layers_are_shared(x):
    models = stack()
    model = deep(models)
    model.compile(keras.optimizers.SGD(0.1))
    before = models[1].get_weights()
    model.fit(x, verbose=0)
    after = models[1].get_weights()
    assert any(np.any(a != b) for a, b in zip(before, after, strict=True))


def test_levels_trained_in_other_processes_may_share_names(x, tmp_path):
    models = stack()
    for model in models:
        model.build(model.encoder.input_shape)
        model.save(tmp_path / f"{model.seed}.keras")
    restored = [
        keras.saving.load_model(tmp_path / f"{level}.keras")
        for level in range(3)
    ]
    np.testing.assert_allclose(deep(restored)(x), deep(models)(x), rtol=1e-5)


def tied(level):
    inputs, units = SIZES[level : level + 2]
    code = keras.layers.Dense(units, "sigmoid", name=f"code_{level}")
    event_shape = EVENT if level == 0 else (inputs,)
    encoder = keras.Sequential(
        [keras.Input(event_shape), keras.layers.Flatten(), code]
    )
    decoder = keras.Sequential(
        [
            keras.Input((units,)),
            layers.TiedDense(code),
            keras.layers.Reshape(event_shape),
        ]
    )
    model = keras_vae.DenoisingAutoencoder(
        encoder, decoder, "bernoulli", layers.MaskingNoise(0.2)
    )
    model.compile("sgd")
    return model


def test_tied_levels_stay_tied_in_a_file(x, tmp_path):
    models = stacking.pretrain([tied(0), tied(1)], x, verbose=0)
    model = deep(models)
    model.build((None, *EVENT))
    # Two kernels, two biases up and two down.
    assert len(model.trainable_variables) == 6
    model.save(tmp_path / "deep.keras")
    restored = keras.saving.load_model(tmp_path / "deep.keras")
    assert len(restored.trainable_variables) == 6
    np.testing.assert_array_equal(restored(x), model(x))


# === The classifier ===


def test_the_classifier_reads_the_codes_of_the_stack(x):
    models = stack()
    model = stacking.classifier(models, 5)
    codes = x
    for level in models:
        codes = level.encode(codes)
    expected = dense(codes, model.get_layer("logits"))
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_classifier_learns_in_plain_keras(policy, digits, tmp_path):
    from sklearn.datasets import load_digits

    x, labels = digits[:, 2:6, 2:6][:300], load_digits().target[:300] % 2
    keras.config.set_dtype_policy(policy)
    try:
        models = stack(activation="tanh", likelihood="squared_error")
        noise = layers.MaskingNoise(0.1, seed=1)
        model = stacking.classifier(models, 2, noise=noise, name="even")
        model.compile(
            keras.optimizers.Adam(0.02),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        model.fit(x, labels, epochs=15, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.name == "even"
    assert model.dtype_policy.name == policy
    assert model(x).dtype == "float32"
    _, accuracy = model.evaluate(x, labels, verbose=0)
    assert accuracy > 0.8
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(restored(x), model(x))


# === Mistakes ===


@pytest.mark.parametrize(
    "function",
    [
        lambda models: stacking.unroll(models),
        lambda models: stacking.classifier(models, 3),
        lambda models: stacking.pretrain(models, np.zeros((2, *EVENT))),
    ],
    ids=["unroll", "classifier", "pretrain"],
)
def test_levels_that_do_not_chain_are_named(function):
    one, two, three = stack()
    message = (
        r"autoencoders\[1\] must take the codes of autoencoders\[0\], of shape "
        r"\(6,\).*for data of shape \(4,\)"
    )
    with pytest.raises(ValueError, match=message):
        function([one, three])
    with pytest.raises(ValueError, match=r"Received: autoencoders\[1\]=<"):
        function([one, two.encoder])
    with pytest.raises(ValueError, match="at least one autoencoder"):
        function([])
    assert int(one.step) == 0


def test_levels_that_do_not_fit_the_data(x):
    with pytest.raises(ValueError, match=r"must take the data.*\(4, 4, 1\)"):
        stacking.pretrain([autoencoder(1)], x)


def test_a_level_of_unknown_shape():
    encoder = keras.Sequential([keras.layers.Dense(3)])
    decoder = keras.Sequential([keras.layers.Dense(6)])
    model = keras_vae.Autoencoder(encoder, decoder)
    with pytest.raises(ValueError, match=r"autoencoders\[0\] is not built"):
        stacking.unroll([model])
    # The level below, or the data, say what it takes.
    encoder, _ = stacking.unroll([autoencoder(0), model])
    assert encoder.output_shape == (None, 3)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"epochs": [1, 2]}, r"3 levels. Received: epochs=\[1, 2\]"),
        ({"fit": Recorder(), "epochs": 2}, "no use where `fit` is given"),
        ({"fit": Recorder(), "batch_size": 8}, "Received:.*batch_size"),
        ({"validation": [1.0]}, "validation of <class 'list'>"),
    ],
)
def test_arguments(kwargs, message, x):
    with pytest.raises(ValueError, match=message):
        stacking.pretrain(stack(), x, **kwargs)
    with pytest.raises(ValueError, match="num_classes=0"):
        stacking.classifier(stack(), 0)
    data = tf.data.Dataset.from_tensor_slices(x).batch(4)
    with pytest.raises(ValueError, match="`x` must be a NumPy array"):
        stacking.pretrain(stack(), data)


@pytest.mark.parametrize("name", stacking.__all__)
def test_examples_run(name):
    module = importlib.import_module(f"keras_vae.stacking.{name}")
    names = {"np": np, "keras": keras, "tf": tf, "keras_vae": keras_vae}
    assert doctest.testmod(module, extraglobs=names).failed == 0
