"""Biases of half precision get their whole gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.models import bias_gradients


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("kind", ["dense", "convolution", "channels_first"])
def test_sum_of_many_terms(kind, policy, jit_compile):
    if kind == "dense":
        layer, shape = keras.layers.Dense(3, dtype=policy), (4096, 2)
    elif kind == "convolution":
        layer = keras.layers.Conv2D(3, 1, dtype=policy)
        shape = (16, 16, 16, 2)
    else:
        # The CPU convolves channels of the last axis only.
        layer, shape = None, (16, 3, 16, 16)
    x = tf.random.stateless_normal(shape, [0, 1])
    bias_gradients.sum_in_single_precision()

    @tf.function(jit_compile=jit_compile)
    def gradient():
        if layer is not None:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(x))
            return tape.gradient(loss, layer.bias.value)
        half = keras.DTypePolicy(policy).compute_dtype
        bias = tf.zeros(3, half)
        with tf.GradientTape() as tape:
            tape.watch(bias)
            y = tf.nn.bias_add(tf.cast(x, half), bias, "NCHW")
            loss = tf.reduce_sum(y)
        return tape.gradient(loss, bias)

    if layer is not None:
        layer.build(shape)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(gradient()).astype("float32"),
        [4096.0] * 3,
        rtol=0.005,
    )


def test_single_precision_is_tensorflows_own():
    bias_gradients.sum_in_single_precision()
    x, bias = tf.random.stateless_normal((32, 5), [1, 2]), tf.zeros(5)
    with tf.GradientTape() as tape:
        tape.watch(bias)
        loss = tf.reduce_sum(tf.nn.bias_add(x, bias) ** 2)
    np.testing.assert_allclose(
        tape.gradient(loss, bias), 2.0 * tf.reduce_sum(x, 0), rtol=1e-5
    )


def test_is_exchanged_once():
    registry = bias_gradients.ops._gradient_registry
    bias_gradients.sum_in_single_precision()
    once = registry.lookup("BiasAdd")
    bias_gradients.sum_in_single_precision()
    assert registry.lookup("BiasAdd") is once
