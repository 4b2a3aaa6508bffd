"""Attention to what lies strictly before, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from keras_vae.layers import CausalAttention2D

H, W = 3, 4
N = H * W


@pytest.fixture(params=[1, 2, 8])
def layer(request):
    layer = CausalAttention2D(
        request.param, key_dim=3, value_dim=16, kernel_initializer="he_normal"
    )
    layer.build([(None, H, W, 5), (None, H, W, 6)])
    rng = np.random.default_rng(1)
    layer.set_weights(
        [0.3 * rng.normal(size=w.shape) for w in layer.get_weights()]
    )
    return layer


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    return [
        rng.normal(size=(2, H, W, size)).astype("float32") for size in (5, 6)
    ]


def reference(layer, inputs):
    """In float64, one position and head at a time."""
    query, key = (x.reshape(2, N, -1).astype("float64") for x in inputs)
    weights = [w.astype("float64") for w in layer.get_weights()]
    q, k, v = (
        (x @ kernel + bias).reshape(2, N, layer.num_heads, -1)
        for x, kernel, bias in zip(
            (query, key, key), weights[::2], weights[1::2], strict=True
        )
    )
    outputs = np.zeros_like(v)
    for i in range(1, N):
        scores = np.einsum("bhd,bjhd->bhj", q[:, i], k[:, :i])
        attention = special.softmax(scores / np.sqrt(layer.key_dim), axis=-1)
        outputs[:, i] = np.einsum("bhj,bjhd->bhd", attention, v[:, :i])
    return outputs.reshape(2, H, W, layer.value_dim)


def test_against_numpy(layer, inputs):
    np.testing.assert_allclose(
        layer(inputs), reference(layer, inputs), rtol=1e-4, atol=1e-5
    )


def test_first_position_is_zero_whatever_the_input(layer, inputs):
    for scale in (1.0, 1e4):
        outputs = layer([scale * x for x in inputs]).numpy()
        assert np.all(outputs[:, 0, 0] == 0)
        assert np.all(np.isfinite(outputs))
        assert np.all(np.any(outputs.reshape(2, N, -1)[:, 1:] != 0, axis=-1))


def test_gradient_is_finite(layer, inputs):
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(layer(inputs) ** 2)
    for gradient in tape.gradient(loss, [*inputs, *layer.trainable_weights]):
        assert np.all(np.isfinite(gradient))


def test_keys_at_a_position_are_seen_after_it_only(layer, inputs):
    query, key = inputs
    before = layer(inputs).numpy().reshape(2, N, -1)
    for j in range(N):
        changed = key.copy()
        changed.reshape(2, N, -1)[:, j] += 1.0
        after = layer([query, changed]).numpy().reshape(2, N, -1)
        differs = np.any(after != before, axis=-1)
        assert not np.any(differs[:, : j + 1])
        assert np.all(differs[:, j + 1 :])


def test_one_position_at_a_time(layer, inputs):
    expected = layer(inputs).numpy().reshape(2, N, -1)
    query, key = (x.reshape(2, N, -1) for x in inputs)
    cache = layer.init_cache(2)
    for index in range(N):
        actual = layer.read(cache, query[:, index], index)
        np.testing.assert_allclose(actual, expected[:, index], atol=1e-5)
        cache = layer.write(cache, key[:, index], index)


def test_half_precision_is_close(layer, inputs):
    half = CausalAttention2D.from_config(
        {**layer.get_config(), "dtype": "mixed_bfloat16"}
    )
    half.build([x.shape for x in inputs])
    half.set_weights(layer.get_weights())
    outputs = half([tf.constant(x) for x in inputs])
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(outputs, "float32"), layer(inputs), atol=0.05
    )


def test_bad_arguments():
    with pytest.raises(ValueError, match="value_dim=6, num_heads=4"):
        CausalAttention2D(num_heads=4, value_dim=6)
    with pytest.raises(ValueError, match="Received: num_heads=0"):
        CausalAttention2D(num_heads=0)
    with pytest.raises(ValueError, match="Received: key_dim=0"):
        CausalAttention2D(key_dim=0)
    with pytest.raises(ValueError, match="same positions.*Received"):
        CausalAttention2D(1)([np.ones((1, 2, 2, 3)), np.ones((1, 2, 3, 3))])
