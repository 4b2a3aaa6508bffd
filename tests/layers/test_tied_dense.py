import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.callbacks import ExactBackup
from keras_vae.layers import TiedDense
from keras_vae.layers import retie

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


def sequential():
    dense = keras.layers.Dense(3, activation="tanh", name="code")
    return keras.Sequential([keras.Input((4,)), dense, TiedDense(dense)])


def networks(kind="sequential"):
    """An encoder, and a decoder tied to it."""
    dense = keras.layers.Dense(3, activation="tanh", name="code")
    if kind == "unbuilt":
        return keras.Sequential([dense]), keras.Sequential([TiedDense(dense)])
    x, z = keras.Input((4,)), keras.Input((3,))
    encoder = keras.Model(x, dense(x))
    if kind == "functional":
        return encoder, keras.Model(z, TiedDense(dense)(z))
    encoder = keras.Sequential([x, dense])
    return encoder, keras.Sequential([z, TiedDense(dense)])


def autoencoder(kind="sequential"):
    model = keras_vae.Autoencoder(*networks(kind), seed=1)
    model.build((None, 4))
    return model


def fit(model):
    loss = None if isinstance(model, keras_vae.TermModel) else "mse"
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
    model.fit(X, X, batch_size=3, shuffle=False, verbose=0)
    return model


def layers_of(model):
    """The Dense layer and the one tied to it."""
    layers = {type(v): v for v in model._flatten_layers()}
    return layers[keras.layers.Dense], layers[TiedDense]


def assert_tied(model):
    dense, tied = layers_of(model)
    assert tied.tied_to is dense
    shapes = [tuple(v.shape) for v in model.trainable_variables]
    assert sorted(shapes) == [(3,), (4,), (4, 3)]

    def assert_transposed():
        expected = X[:, :3] @ np.transpose(dense.kernel) + tied.bias
        np.testing.assert_allclose(tied(X[:, :3]), expected, rtol=1e-5)

    dense.kernel.assign(2 * dense.kernel)
    assert_transposed()
    before = np.array(dense.kernel)
    fit(model)
    assert np.all(np.array(dense.kernel) != before)
    assert_transposed()


def test_values_and_shapes():
    dense = keras.layers.Dense(3)
    dense.build((None, 4))
    layer = TiedDense(dense, activation="tanh", bias_initializer="ones")
    inputs = np.random.default_rng(1).normal(size=(2, 5, 3)).astype("float32")
    expected = np.tanh(inputs @ np.transpose(dense.kernel) + 1)
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-5)
    assert layer.compute_output_shape((None, 5, 3)) == (None, 5, 4)
    plain = TiedDense(dense, use_bias=False)
    np.testing.assert_allclose(
        plain(inputs), inputs @ np.transpose(dense.kernel), rtol=1e-5
    )
    assert len(plain.weights) == 1


def test_gradients_of_both_uses_add_up():
    model = sequential()
    dense, tied = layers_of(model)
    with tf.GradientTape(persistent=True) as tape:
        both = tf.reduce_sum(model(X) ** 2)
        code = tf.stop_gradient(dense(X))
        second = tf.reduce_sum(tied(code) ** 2)
        kernel = tf.stop_gradient(tf.convert_to_tensor(dense.kernel))
        first = tf.reduce_sum(
            (dense(X) @ tf.transpose(kernel) + tied.bias) ** 2
        )
    one, two, total = (
        np.array(tape.gradient(v, dense.kernel)) for v in (first, second, both)
    )
    assert np.all(np.abs(one) > 0) and np.all(np.abs(two) > 0)
    np.testing.assert_allclose(one + two, total, rtol=1e-4, atol=1e-5)


def test_sequential_saves_and_reloads_tied(tmp_path):
    model = fit(sequential())
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(restored(X), model(X))
    assert len(restored.optimizer.variables) == len(model.optimizer.variables)
    assert_tied(restored)


@pytest.mark.parametrize("kind", ["sequential", "functional", "unbuilt"])
def test_two_networks_save_and_reload_tied(kind, tmp_path):
    model = fit(autoencoder(kind))
    assert len(model.trainable_variables) == 3
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(restored(X), model(X))
    assert len(restored.variables) == len(model.variables)
    # The optimizer was loaded too: the next step is the same.
    for one in (model, restored):
        one.fit(X, batch_size=3, shuffle=False, verbose=0)
    np.testing.assert_array_equal(restored(X), model(X))
    assert_tied(restored)


@pytest.mark.parametrize("kind", ["sequential", "functional", "unbuilt"])
def test_a_model_from_a_config_is_tied(kind):
    model = autoencoder(kind)
    restored = type(model).from_config(model.get_config())
    restored.build((None, 4))
    restored.set_weights(model.get_weights())
    np.testing.assert_array_equal(restored(X), model(X))
    assert_tied(restored)


def test_weights_files(tmp_path):
    model, other = autoencoder(), autoencoder()
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other(X), model(X))
    assert_tied(other)


def test_a_decoder_alone_keeps_its_kernel(tmp_path):
    decoder = networks()[1]
    decoder.save(tmp_path / "decoder.keras")
    restored = keras.saving.load_model(tmp_path / "decoder.keras")
    np.testing.assert_array_equal(restored(X[:, :3]), decoder(X[:, :3]))
    shapes = [tuple(v.shape) for v in restored.trainable_variables]
    assert shapes == [(4, 3), (4,)]


def test_backup(tmp_path):
    model, other = fit(autoencoder()), fit(autoencoder())
    backup = ExactBackup(tmp_path)
    model.fit(X, epochs=2, verbose=0, initial_epoch=1, callbacks=[backup])
    assert ExactBackup(tmp_path).restore(other) == 2
    np.testing.assert_array_equal(other(X), model(X))
    assert_tied(other)


def test_export(tmp_path):
    model = autoencoder()
    served = tf.saved_model.load(str(keras_vae.export_model(model, tmp_path)))
    outputs = served.signatures["serving_default"](tf.constant(X))
    np.testing.assert_allclose(
        outputs["reconstruction"], model.reconstruct(X), rtol=1e-5
    )


def test_clones_are_tied_again():
    clone = keras.models.clone_model(sequential())
    assert len(clone.trainable_variables) == 4
    assert retie(clone) is clone
    assert_tied(clone)
    tied = layers_of(clone)[1]
    other = keras.layers.Dense(3, name="other")
    other.build((None, 4))
    tied.tie(other)
    assert layers_of(retie(clone))[1].tied_to is other


def test_two_layers_of_one_name_cannot_be_tied_again():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    parts = [
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="d")])
        for _ in range(2)
    ]
    codes = [part(x) for part, x in zip(parts, inputs, strict=True)]
    dense = keras.layers.Dense(3, name="d")
    dense.build((None, 4))
    model = keras.Model(inputs, TiedDense(dense)(codes[0] + codes[1]))
    with pytest.raises(ValueError, match="2 layers named 'd'"):
        retie(model)


def test_freezing_is_of_one_layer():
    encoder, decoder = networks()
    model = keras_vae.Autoencoder(encoder, decoder)
    decoder.trainable = False
    assert len(model.trainable_variables) == 2
    decoder.trainable, encoder.trainable = True, False
    assert [tuple(v.shape) for v in model.trainable_variables] == [(4,)]


def test_a_regularizer_counts_once():
    dense = keras.layers.Dense(3, kernel_regularizer="l2")
    model = keras.Sequential([keras.Input((4,)), dense, TiedDense(dense)])
    expected = 0.01 * np.sum(np.array(dense.kernel) ** 2)
    np.testing.assert_allclose(tf.add_n(model.losses), expected, rtol=1e-5)


def test_half_precision():
    encoder = keras.layers.Dense(3, dtype="mixed_bfloat16")
    encoder.build((None, 4))
    layer = TiedDense(encoder, dtype="mixed_bfloat16")
    inputs = X[:, :3]
    assert layer(inputs).dtype == "bfloat16"
    assert {v.dtype for v in layer.weights} == {"float32"}
    np.testing.assert_allclose(
        keras.ops.cast(layer(inputs), "float32"),
        inputs @ np.transpose(encoder.kernel),
        rtol=0.05,
        atol=0.05,
    )


def test_replicas_train_as_one(mirrored):
    results = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            keras.utils.set_random_seed(1)
            model = autoencoder()
            results.append(fit(model).get_weights())
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_errors_name_the_mistake():
    with pytest.raises(ValueError, match="Received: tied_to=<Flatten"):
        TiedDense(keras.layers.Flatten())
    dense = keras.layers.Dense(3, name="code")
    layer = TiedDense(dense)
    with pytest.raises(ValueError, match="Received: tied_to='code', not built"):
        layer(X[:, :3])
    with pytest.raises(ValueError, match="Received: tied_to='code', not built"):
        layer.compute_output_shape((None, 3))
    dense.build((None, 4))
    with pytest.raises(ValueError, match=r"3 units. Received: .*\(6, 4\)"):
        layer(X)
    assert layer(X[:, :3]).shape == (6, 4)


def test_extremes_are_finite():
    dense = keras.layers.Dense(3)
    dense.build((None, 4))
    dense.kernel.assign(1e30 * tf.ones_like(dense.kernel))
    outputs = TiedDense(dense, activation="sigmoid")(X[:, :3])
    assert np.all(np.isfinite(outputs))
