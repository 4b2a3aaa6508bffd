"""The penalty of a layer that can stand in any model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import layers

Regularizer = layers.BernoulliSparsityRegularizer


def reference(x, rho):
    x = np.asarray(x, "float64").reshape(-1, np.shape(x)[-1])
    q = x.mean(0)
    kl = rho * np.log(rho / q) + (1 - rho) * np.log((1 - rho) / (1 - q))
    return kl.sum()


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(0, 1, (6, 5, 4)).astype("float32")


def test_penalty_is_that_of_the_mean_over_all_other_axes(x):
    layer = Regularizer(0.2, beta=7.0)
    layer.build(x.shape)
    np.testing.assert_allclose(layer.penalty(x), reference(x, 0.2), rtol=1e-5)
    np.testing.assert_allclose(
        layer.penalty(x[:, 0]), reference(x[:, 0], 0.2), rtol=1e-5
    )


def test_a_call_is_the_identity_and_adds_the_loss(x):
    layer = Regularizer(0.2, beta=7.0)
    np.testing.assert_array_equal(layer(x), x)
    (loss,) = layer.losses
    np.testing.assert_allclose(loss, 7 * reference(x, 0.2), rtol=1e-5)


def test_penalty_adds_nothing(x):
    layer = Regularizer(0.2)
    layer.build(x.shape)
    layer.penalty(x)
    assert layer.losses == []


def penalty_gradient(layer, x, training=False):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = layer.penalty(x, training)
    return tape.gradient(value, x).numpy()


def test_gradient_is_that_of_finite_differences(x):
    layer = Regularizer(0.2)
    layer.build(x.shape)
    step = 1e-4
    expected = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        moved = np.zeros(x.shape)
        moved[place] = step
        expected[place] = (
            reference(x + moved, 0.2) - reference(x - moved, 0.2)
        ) / (2 * step)
    np.testing.assert_allclose(
        penalty_gradient(layer, x), expected, rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize(("end", "sign"), [(0.0, -1), (1.0, 1)])
def test_a_dead_or_saturated_unit_is_drawn_back(end, sign):
    x = np.full((4, 3), end, "float32")
    layer = Regularizer(0.3)
    assert np.isfinite(layer.penalty(x))
    gradient = penalty_gradient(layer, x)
    assert np.all(np.isfinite(gradient))
    assert np.all(sign * gradient > 1e3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(x, dtype):
    layer = Regularizer(0.2, dtype=dtype)
    half = tf.cast(x, dtype)
    assert layer(half).dtype == dtype
    assert layer.penalty(half).dtype == tf.float32
    np.testing.assert_allclose(
        layer.penalty(half), reference(tf.cast(half, "float64"), 0.2), rtol=1e-4
    )


# === Running mean ===


def test_running_mean_has_no_bias_from_its_start(x):
    layer = Regularizer(0.2, momentum=0.9)
    layer.build(x.shape)
    for _ in range(3):
        value = layer.penalty(x, training=True)
        np.testing.assert_allclose(value, reference(x, 0.2), rtol=1e-5)


def test_running_mean_is_the_value_and_the_batch_has_the_gradient():
    one, two = (np.full((4, 1), v, "float32") for v in (0.2, 0.6))
    layer = Regularizer(0.3, momentum=0.75)
    layer.build(one.shape)
    layer.penalty(one, training=True)
    rho_bar = (0.75 * 0.25 * 0.2 + 0.25 * 0.6) / (0.75 * 0.25 + 0.25)
    gradient = penalty_gradient(layer, two, training=True)
    slope = -0.3 / rho_bar + 0.7 / (1 - rho_bar)
    np.testing.assert_allclose(gradient, np.full((4, 1), slope / 4), rtol=1e-4)
    rho_bar = (0.75 * (0.75 * 0.05 + 0.15) + 0.05) / (1 - 0.75**3)
    np.testing.assert_allclose(
        layer.penalty(one, training=True),
        reference([[rho_bar]], 0.3),
        rtol=1e-4,
    )


def test_evaluation_is_of_its_own_batch_and_moves_nothing(x):
    layer = Regularizer(0.2, momentum=0.5)
    layer.build(x.shape)
    layer.penalty(0.5 * x, training=True)
    before = [v.numpy() for v in layer.weights]
    np.testing.assert_allclose(layer.penalty(x), reference(x, 0.2), rtol=1e-5)
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


# === In a model, under Keras's own training step ===


def sequential(**kwargs):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(4, activation="sigmoid"),
            Regularizer(**{"rho": 0.2, "beta": 0.5, **kwargs}),
            keras.layers.Dense(5),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse")
    return model


@pytest.mark.parametrize("momentum", [None, 0.5])
def test_two_replicas_are_one(mirrored, momentum):
    """Keras divides added losses by the replicas, the mean is of all."""
    x = np.random.default_rng(0).normal(size=(12, 5)).astype("float32")
    results = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            model = sequential(momentum=momentum)
        model.fit(x, x, batch_size=4, shuffle=False, verbose=0)
        # Not the logs: replicas are threads that share Keras's list of added
        # losses, and the second one logs those of the first again.
        results.append(model.get_weights())
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)


def test_training_reaches_the_target():
    x = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    model = sequential(beta=10.0)
    repeated = np.tile(x, (100, 1))
    model.fit(repeated, repeated, batch_size=64, verbose=0)
    hidden = model.layers[0](x)
    np.testing.assert_allclose(np.mean(hidden, axis=0), 0.2, atol=0.02)


# === Bad input ===


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_activations_outside_the_unit_interval(value):
    x = np.array([[0.5, value]], "float32")
    with pytest.raises(ValueError, match=r"\[0, 1\].*Received: x with values"):
        Regularizer()(x)


@pytest.mark.parametrize(
    "argument",
    [
        {"rho": 0.0},
        {"rho": 1.0},
        {"rho": float("nan")},
        {"beta": -0.5},
        {"momentum": -0.1},
        {"momentum": 1.0},
        {"epsilon": 0.0},
        {"epsilon": 0.5},
    ],
)
def test_arguments_out_of_range(argument):
    ((name, value),) = argument.items()
    with pytest.raises(ValueError, match=f"Received: {name}={value}"):
        Regularizer(**argument)
