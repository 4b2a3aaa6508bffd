import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import random
from keras_vae.layers import Sampling


def make_model(seed=0):
    """z_mean and z_log_var are the input and its negative."""
    x = keras.Input((3,))
    z = Sampling(seed)([x, -x])
    return keras.Model(x, z)


def test_moments():
    mean = np.tile(np.array([-1.0, 0.0, 2.0], "float32"), (40000, 1))
    log_var = np.tile(np.array([-3.0, 0.0, 1.0], "float32"), (40000, 1))
    z = np.asarray(Sampling(seed=0)([mean, log_var]))
    scale = np.exp(log_var[0] / 2)
    np.testing.assert_allclose((z.mean(0) - mean[0]) / scale, 0, atol=0.025)
    np.testing.assert_allclose(
        np.cov(z / scale, rowvar=False), np.eye(3), atol=0.04
    )


def test_gradient_against_finite_differences():
    inputs = tf.constant([[[0.3, -0.2]], [[0.5, -1.0]]])

    def draw(inputs):
        with random.noise_scope(random.Noise(random.as_seed(0))):
            return Sampling()(tf.unstack(inputs))

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(draw(inputs))
    gradient = tape.gradient(total, inputs)
    for index in np.ndindex(2, 1, 2):
        step = np.zeros((2, 1, 2), "float32")
        step[index] = 1e-2
        difference = draw(inputs + step) - draw(inputs - step)
        np.testing.assert_allclose(
            gradient[index], tf.reduce_sum(difference) / 2e-2, atol=1e-3
        )


def test_no_variance_is_the_mean():
    mean = np.array([[-1e4, 0.0, 1e4]], "float32")
    z = Sampling()([mean, np.full_like(mean, -1e4)])
    np.testing.assert_array_equal(z, mean)


def test_draws_whenever_it_is_called():
    layer = Sampling(seed=0)
    inputs = 2 * [np.zeros((4, 3), "float32")]
    first, second = layer(inputs), layer(inputs, training=False)
    assert np.all(first != second)
    np.testing.assert_array_equal(Sampling(seed=0)(inputs), first)
    assert np.all(Sampling(seed=1)(inputs) != first)
    compiled = tf.function(layer)
    assert np.all(compiled(inputs) != compiled(inputs))


def test_seed_is_in_the_config():
    layer = Sampling.from_config(Sampling(seed=7).get_config())
    assert layer.seed == 7
    assert Sampling.from_config(Sampling().get_config()).seed is None


def test_in_a_model_the_noise_is_the_models():
    layer = Sampling(seed=0)
    inputs = 2 * [np.zeros((4, 3), "float32")]
    drawn = []
    for _ in range(2):
        with random.noise_scope(random.Noise(random.as_seed(5))):
            drawn.append(layer(inputs))
    np.testing.assert_array_equal(*drawn)


def test_half_precision_keeps_its_dtype():
    layer = Sampling(seed=0, dtype="mixed_bfloat16")
    z = layer(2 * [np.zeros((4, 3), "float32")])
    assert z.dtype == tf.bfloat16


def test_save_and_load_continue_the_noise(tmp_path):
    model = make_model(seed=3)
    x = np.zeros((4, 3), "float32")
    model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    (sampling,) = [v for v in restored.layers if isinstance(v, Sampling)]
    assert sampling.seed == 3
    assert np.all(np.isfinite(restored.predict(x, verbose=0)))


def test_replicas_draw_different_noise_in_the_default_step(mirrored):
    with mirrored.scope():
        model = make_model()
        model.compile()
    x = np.zeros((8, 3), "float32")
    z = model.predict(x, batch_size=8, verbose=0)
    assert len(np.unique(z)) == z.size


def test_trains_in_the_default_step_of_replicas(mirrored):
    with mirrored.scope():
        x = keras.Input((3,))
        hidden = keras.layers.Dense(2)(x)
        z = Sampling(seed=0)([hidden, hidden])
        model = keras.Model(x, keras.layers.Dense(3)(z))
        model.compile("sgd", "mse")
    data = np.random.default_rng(0).normal(size=(11, 3)).astype("float32")
    history = model.fit(data, data, batch_size=4, epochs=2, verbose=0)
    assert np.all(np.isfinite(history.history["loss"]))


def test_shape_of_inputs_with_more_axes():
    layer = Sampling()
    shape = (2, 4, 5, 3)
    assert layer([np.zeros(shape), np.zeros(shape)]).shape == shape
    assert layer.compute_output_shape([shape, shape]) == shape


@pytest.mark.parametrize("log_var", [-1e30, 80.0])
def test_extremes_are_finite(log_var):
    z = Sampling()([np.zeros((2, 3)), np.full((2, 3), log_var)])
    assert np.all(np.isfinite(z))
