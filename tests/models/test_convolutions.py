"""Convolutions of no examples, with oneDNN and without."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.models import convolutions

SHAPE = (3, 4, 5)


class Counting(keras.layers.Conv2D):
    """Knows how many examples its kernel was given; an argument of its own."""

    def call(self, x, scale=1.0):
        self.seen = tf.shape(x)[0]
        return super().call(scale * x)


def layer_and_model():
    layer = Counting(6, 2, padding="same")
    model = keras.Sequential([keras.Input(SHAPE), keras.Sequential([layer])])
    return layer, model


@pytest.mark.parametrize(("num", "seen"), [(0, 1), (1, 1), (3, 3)])
def test_the_kernel_has_an_example(num, seen):
    layer, model = layer_and_model()
    x = np.random.default_rng(0).random((num, *SHAPE), "float32")
    expected = layer(x) if num else np.zeros((0, 3, 4, 6))
    convolutions.accept_no_examples(model)
    with tf.GradientTape() as tape:
        y = layer(x, scale=2.0)
        loss = tf.reduce_sum(y)
    assert layer.seen == seen
    assert y.shape == (num, 3, 4, 6)
    # Biases start at 0.
    np.testing.assert_allclose(y, 2.0 * expected, rtol=1e-5, atol=1e-6)
    kernel, bias = tape.gradient(loss, [w.value for w in layer.weights])
    np.testing.assert_allclose(bias, [num * 12.0] * 6)
    assert np.any(kernel) == (num > 0)


def test_wraps_once():
    layer, model = layer_and_model()
    convolutions.accept_no_examples(model)
    call = layer.call
    convolutions.accept_no_examples(model)
    assert layer.call is call
