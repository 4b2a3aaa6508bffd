import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import random
from keras_vae.losses import jacobian
from keras_vae.losses import squared_jacobian_norm

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6)).astype("float32")
W = RNG.normal(size=(6, 5)).astype("float32")
V = RNG.normal(size=(5, 3)).astype("float32")

ACTIVATIONS = {
    "linear": lambda a: a,
    "relu": lambda a: np.maximum(a, 0.0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "tanh": np.tanh,
}


def dense(activation, x=X, kernel=W):
    return keras.activations.get(activation)(x @ kernel)


def deep(x):
    return tf.tanh(tf.tanh(x @ W) @ V)


def numpy_jacobian(function, x, step=1e-6):
    """Central differences in float64: (batch, code, data)."""
    x = x.astype("float64")
    columns = []
    for i in range(x.shape[1]):
        move = step * np.eye(x.shape[1])[i]
        columns.append((function(x + move) - function(x - move)) / (2 * step))
    return np.stack(columns, axis=-1)


def numpy_deep(x):
    return np.tanh(np.tanh(x @ W.astype("float64")) @ V.astype("float64"))


def squares(jacobians):
    return np.sum(jacobians**2, axis=(1, 2))


def probes(number, seed=0, shape=(4, 3)):
    noise = random.Noise(random.as_seed(seed))
    return jacobian.rademacher(noise, number, shape)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_closed_form(name):
    h = dense(name)
    closed = jacobian.dense_factors(h, W, keras.activations.get(name))
    exact = squared_jacobian_norm(lambda x: dense(name, x), X)
    np.testing.assert_allclose(closed.squared_norm(), exact, rtol=1e-5)
    differences = numpy_jacobian(
        lambda x: ACTIVATIONS[name](x @ W.astype("float64")), X
    )
    np.testing.assert_allclose(
        closed.squared_norm(), squares(differences), rtol=1e-5
    )


def test_closed_form_of_more_axes():
    x = RNG.normal(size=(2, 3, 6)).astype("float32")
    closed = jacobian.dense_factors(
        dense("tanh", x), W, keras.activations.get("tanh")
    )
    exact = squared_jacobian_norm(lambda x: dense("tanh", x), x)
    assert exact.shape == (2,)
    np.testing.assert_allclose(closed.squared_norm(), exact, rtol=1e-5)


def test_full_jacobian():
    z, factors = jacobian.full_factors(deep, tf.constant(X))
    np.testing.assert_allclose(z, deep(X), rtol=1e-5)
    expected = numpy_jacobian(numpy_deep, X)
    np.testing.assert_allclose(factors.values, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        factors.squared_norm(), squares(expected), rtol=1e-5
    )


def test_hutchinson_is_unbiased():
    number = 4000
    exact = squared_jacobian_norm(deep, X).numpy()
    many = tf.repeat(tf.constant(X), number, axis=0)
    drawn = probes(2, shape=(len(many), 3))
    _, factors = jacobian.hutchinson_factors(deep, many, drawn)
    values = np.reshape(factors.squared_norm(), (4, number))
    error = values.std(axis=1) / np.sqrt(number)
    assert np.all(error < 0.05 * exact)
    np.testing.assert_array_less(np.abs(values.mean(axis=1) - exact), 4 * error)


def test_hutchinson_is_exact_for_all_sign_vectors():
    """Their mean is the expectation."""
    signs = np.array(np.meshgrid(*3 * [[-1.0, 1.0]])).reshape(3, -1).T
    every = np.repeat(signs[:, None], 4, axis=1).astype("float32")
    np.testing.assert_allclose(
        squared_jacobian_norm(deep, X, every),
        squared_jacobian_norm(deep, X),
        rtol=1e-5,
    )


@pytest.mark.parametrize("kind", ["closed", "full", "hutchinson"])
def test_distance_of_two_jacobians(kind):
    near = X + 0.3

    def factors(x):
        x = tf.constant(x)
        if kind == "closed":
            tanh = keras.activations.tanh
            return jacobian.dense_factors(dense("tanh", x), W, tanh)
        if kind == "full":
            return jacobian.full_factors(deep, x)[1]
        signs = np.array(np.meshgrid(*3 * [[-1.0, 1.0]])).reshape(3, -1).T
        every = np.repeat(signs[:, None], 4, axis=1).astype("float32")
        return jacobian.hutchinson_factors(deep, x, every)[1]

    def function(x):
        if kind == "closed":
            return np.tanh(x @ W.astype("float64"))
        return numpy_deep(x)

    expected = squares(
        numpy_jacobian(function, X) - numpy_jacobian(function, near)
    )
    distance = factors(X).squared_distance(factors(near))
    np.testing.assert_allclose(distance, expected, rtol=1e-4)
    np.testing.assert_array_equal(factors(X).squared_distance(factors(X)), 0)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("kind", ["closed", "full", "hutchinson"])
def test_gradient_against_finite_differences(kind, jit_compile):
    """With respect to the kernel, within another tape."""
    drawn = probes(2, shape=(4, 5))
    tanh = keras.activations.tanh

    def penalty(kernel):
        x = tf.constant(X)

        def code(x):
            return tf.tanh(x @ kernel)

        if kind == "closed":
            factors = jacobian.dense_factors(code(x), kernel, tanh)
        elif kind == "full":
            factors = jacobian.full_factors(code, x)[1]
        else:
            factors = jacobian.hutchinson_factors(code, x, drawn)[1]
        return tf.reduce_sum(factors.squared_norm())

    @tf.function(jit_compile=jit_compile)
    def gradient(kernel):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            value = penalty(kernel)
        return tape.gradient(value, kernel)

    def numpy_penalty(kernel):
        slope = 1 - np.tanh(X @ kernel) ** 2
        if kind == "hutchinson":
            products = np.einsum("pbj,bj,ij->pbi", drawn, slope, kernel)
            return np.sum(products**2) / 2
        return np.sum(slope**2 * np.sum(kernel**2, axis=0))

    expected = np.zeros_like(W)
    for index in np.ndindex(W.shape):
        move = np.zeros(W.shape)
        move[index] = 1e-6
        expected[index] = (
            numpy_penalty(W + move) - numpy_penalty(W - move)
        ) / 2e-6
    np.testing.assert_allclose(
        gradient(tf.constant(W)), expected, rtol=1e-3, atol=1e-4
    )


def test_probes_are_signs_without_bias():
    drawn = probes(50, shape=(100, 4)).numpy()
    assert set(np.unique(drawn)) == {-1.0, 1.0}
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)
    assert len(np.unique(drawn.reshape(-1, 4), axis=0)) == 16


@pytest.mark.parametrize("drawn", [None, probes(2)])
def test_a_constant_function_has_no_norm(drawn):
    def constant(x):
        return tf.ones([tf.shape(x)[0], 3]) + 0.0 * x[:, :3]

    np.testing.assert_array_equal(squared_jacobian_norm(constant, X, drawn), 0)
    if drawn is not None:
        unconnected = squared_jacobian_norm(lambda x: tf.ones([4, 3]), X, drawn)
        np.testing.assert_array_equal(unconnected, 0)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_saturation_is_finite_and_flat(name):
    kernel = tf.constant(1e6 * W)
    activation = keras.activations.get(name)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        h = dense(name, X, kernel)
        norm = jacobian.dense_factors(h, kernel, activation).squared_norm()
    np.testing.assert_array_equal(norm, 0)
    np.testing.assert_array_equal(tape.gradient(norm, kernel), 0)
    exact = squared_jacobian_norm(lambda x: dense(name, x, kernel), X)
    np.testing.assert_array_equal(exact, 0)


def test_codes_with_more_axes_and_half_precision():
    def code(x):
        return tf.reshape(tf.cast(deep(x), "bfloat16"), [-1, 3, 1])

    exact = squared_jacobian_norm(code, X)
    assert exact.dtype == "float32"
    np.testing.assert_allclose(exact, squared_jacobian_norm(deep, X), rtol=0.03)
    estimate = squared_jacobian_norm(code, X, probes(2, shape=(4, 3, 1)))
    assert estimate.shape == (4,)
