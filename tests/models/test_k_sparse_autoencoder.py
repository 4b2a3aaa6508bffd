"""A code of the k largest activations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import callbacks
from keras_vae import schedules

EVENT = (4, 4, 1)
WIDTH = 7


@pytest.fixture
def x(digits):
    return digits[:12, 2:6, 2:6]


def networks():
    """The same initial weights at each call."""
    keras.utils.set_random_seed(1)
    encoder = keras_vae.networks.mlp_encoder(EVENT, (WIDTH,), "linear")
    decoder = keras_vae.networks.mlp_decoder(WIDTH, EVENT, units=())
    return encoder, decoder


def k_sparse(k=2, **kwargs):
    model = keras_vae.KSparseAutoencoder(*networks(), k=k, seed=5, **kwargs)
    model.build((None, *EVENT))
    return model


def fit(model, x, epochs=1, **kwargs):
    if not model.compiled:
        model.compile(keras.optimizers.SGD(0.02, momentum=0.9))
    return model.fit(
        x, batch_size=4, shuffle=False, verbose=0, epochs=epochs, **kwargs
    ).history


def num_active(z):
    (count,) = set(np.count_nonzero(z, axis=1))
    return count


@pytest.mark.parametrize("k", [WIDTH, schedules.LinearWarmUp(9, WIDTH, WIDTH)])
def test_all_units_are_an_autoencoder(x, k):
    autoencoder = keras_vae.Autoencoder(*networks(), seed=5)
    model = k_sparse(k)
    assert fit(model, x) == fit(autoencoder, x)
    for one, two in zip(
        model.trainable_weights, autoencoder.trainable_weights, strict=True
    ):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(model.encode(x), autoencoder.encode(x))


def test_training_keeps_k_and_evaluation_alpha_k(x):
    model = k_sparse(k=2, inference_alpha=2.5)
    assert num_active(model.code(x, training=True)) == 2
    assert num_active(model.encode(x)) == 5
    z = model.encode(x)
    error = np.sum(np.square(x - model.decode(z)), axis=(1, 2, 3))
    np.testing.assert_allclose(
        model.compute_terms(x, None, False)["reconstruction_loss"],
        error,
        rtol=1e-5,
    )
    np.testing.assert_allclose(model.reconstruct(x), model.decode(z))
    training = model.compute_terms(x, None, True)["reconstruction_loss"]
    assert np.all(np.abs(training - error) > 1e-4)


def test_gradient_is_zero_off_the_support(x):
    """Of the encoder's columns and the decoder's rows of unused units."""
    model = k_sparse(k=2)
    with tf.GradientTape() as tape:
        terms = model.compute_terms(tf.constant(x[:1]), None, training=True)
    kernels = [model.encoder.weights[0], model.decoder.weights[0]]
    of_encoder, of_decoder = tape.gradient(
        terms["reconstruction_loss"], [kernel.value for kernel in kernels]
    )
    used = np.flatnonzero(model.code(x[:1], training=True))
    assert len(used) == 2
    assert set(np.flatnonzero(np.any(of_encoder != 0, axis=0))) == set(used)
    assert set(np.flatnonzero(np.any(of_decoder != 0, axis=1))) == set(used)


# === Schedules ===


@pytest.mark.parametrize("jit_compile", [False, True])
def test_k_follows_the_step(x, jit_compile):
    """The first step is one of k = 6, all later ones are of k = 1."""
    schedule = schedules.LinearWarmUp(1, start=6, end=1)
    model = k_sparse(schedule, inference_alpha=2.0)
    same = k_sparse(6, inference_alpha=2.0)
    assert num_active(model.encode(x)) == WIDTH
    for each in (model, same):
        optimizer = keras.optimizers.SGD(0.02, momentum=0.9)
        each.compile(optimizer, jit_compile=jit_compile)
    one, two = fit(model, x[:4]), fit(same, x[:4])
    np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-5)
    assert num_active(model.code(x, training=True)) == 1
    assert num_active(model.encode(x)) == 2
    for a, b in zip(
        model.trainable_weights, same.trainable_weights, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        fit(model, x[:4])["loss"],
        np.mean(
            np.sum(
                np.square(x[:4] - same.decode(_largest(same.encoder(x[:4])))),
                axis=(1, 2, 3),
            )
        ),
        rtol=1e-4,
    )


def _largest(h):
    return keras_vae.layers.KSparse(1)(h)


def test_one_counter(x):
    """The layer's step is the model's, counted once."""
    model = k_sparse(schedules.LinearWarmUp(6, start=6, end=1))
    names = [weight.path for weight in model.weights]
    assert len([name for name in names if name.endswith("step")]) == 1
    fit(model, x)
    assert int(model.step) == int(model.k_sparse.step) == 3


def test_code_layers_are_the_code(x):
    """As they stand in another model, at the k that training has reached."""
    model = k_sparse(
        schedules.LinearWarmUp(3, start=6, end=2), inference_alpha=2.0
    )
    fit(model, x)
    stack = keras.Sequential([keras.Input(EVENT), *model.code_layers()])
    z = stack(x)
    assert num_active(z) == 4
    np.testing.assert_array_equal(z, model.encode(x))


def test_code_layers_are_saved_with_their_k(x, tmp_path):
    model = k_sparse(schedules.LinearWarmUp(3, start=6, end=2))
    fit(model, x)
    stack = keras.Sequential([keras.Input(EVENT), *model.code_layers()])
    stack.save(tmp_path / "stack.keras")
    restored = keras.saving.load_model(tmp_path / "stack.keras")
    np.testing.assert_array_equal(restored(x), model.encode(x))


# === Saved ===


def test_save_and_load_keep_k(x, tmp_path):
    model = k_sparse(
        schedules.LinearWarmUp(6, start=7, end=1), inference_alpha=1.5
    )
    fit(model, x)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert num_active(restored.encode(x)) == 6
    assert fit(restored, x) == fit(model, x)
    assert num_active(restored.encode(x)) == num_active(model.encode(x)) == 2


def test_resume_is_exact(x, tmp_path):
    def new():
        return k_sparse(schedules.LinearWarmUp(9, start=7, end=1))

    whole, first, second = new(), new(), new()
    fit(whole, x, epochs=3)
    fit(
        first,
        x,
        epochs=2,
        callbacks=[callbacks.ExactBackup(tmp_path / "backup")],
    )
    second.compile(keras.optimizers.SGD(0.02, momentum=0.9))
    backup = callbacks.ExactBackup(tmp_path / "backup")
    epoch = backup.restore(second)
    assert epoch == 2
    fit(second, x, epochs=3, initial_epoch=epoch)
    for one, two in zip(whole.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, two)


# === Bad input ===


def test_k_is_needed():
    with pytest.raises(TypeError, match="'k'"):
        keras_vae.KSparseAutoencoder(*networks())


@pytest.mark.parametrize("k", [8, schedules.LinearWarmUp(2, 8.0, 1.0)])
def test_k_above_the_width(x, k):
    with pytest.raises(ValueError, match="Received: k=8, width=7"):
        keras_vae.KSparseAutoencoder(*networks(), k=k).encode(x)


@pytest.mark.parametrize(
    ("argument", "value"), [("k", 0), ("k", 1.5), ("inference_alpha", 0.0)]
)
def test_arguments_out_of_range(argument, value):
    with pytest.raises(ValueError, match=f"Received: {argument}={value}"):
        keras_vae.KSparseAutoencoder(*networks(), **{"k": 2, argument: value})
