"""Gated residual units and blocks of them, against NumPy and step by step."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from keras_vae import random
from keras_vae.layers import GatedResidual
from keras_vae.layers import PixelSNAILBlock

H, W = 3, 4
N = H * W


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(2, H, W, 4)).astype("float32")


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def random_weights(layer):
    rng = np.random.default_rng(1)
    weights = [0.5 * rng.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    return weights


def test_linear_unit_against_numpy(x):
    layer = GatedResidual(5)
    side = np.random.default_rng(2).normal(size=(2, H, W, 3)).astype("float32")
    condition = np.random.default_rng(3).normal(size=(2, 1, 1, 2))
    condition = condition.astype("float32")
    layer.build(x.shape, side.shape, condition.shape)
    first, bias, second, other_bias, of_side, of_condition = random_weights(
        layer
    )
    hidden = elu(elu(x) @ first + bias + elu(side) @ of_side)
    change = hidden @ second + other_bias + condition @ of_condition
    expected = x + change[..., :4] * special.expit(change[..., 4:])
    np.testing.assert_allclose(
        layer(x, side=side, condition=condition), expected, atol=1e-5
    )


def test_a_new_unit_is_close_to_the_identity(x):
    change = GatedResidual(64, 2)(x) - x
    assert 0 < np.std(change) < 0.2 * np.std(x)


def test_dropout_is_for_training_and_keeps_the_mean(x):
    layer = GatedResidual(400, dropout=0.25, seed=0)
    kept = layer(x)
    np.testing.assert_array_equal(layer(x, training=False), kept)
    dropped = np.mean([layer(x, training=True) for _ in range(50)], axis=0)
    assert np.all(layer(x, training=True) != kept)
    error = np.std(dropped - kept)
    assert error < 0.2 * np.std(kept - x)
    # The noise of a model's step, the same each time.
    outputs = []
    for _ in range(2):
        with random.noise_scope(random.Noise(random.as_seed(0))):
            outputs.append(layer(x, training=True))
    np.testing.assert_array_equal(*outputs)


def test_equal_seeds_do_not_drop_the_same_in_a_block(x):
    block = PixelSNAILBlock(4, num_residual=2, num_heads=1, seed=7)
    seeds = [
        layer.seed
        for layer in block._flatten_layers()
        if isinstance(layer, GatedResidual)
    ]
    assert len(set(seeds)) == len(seeds) == 5


def test_ordinary_convolutions_see_all_sides(x):
    layer = GatedResidual(4, kernel_size=3, causal=False)
    before = layer(x).numpy()
    changed = x.copy()
    changed[:, 1, 1] += 1.0
    differs = np.any(layer(changed).numpy() != before, axis=(0, -1))
    assert np.all(differs)


@pytest.mark.parametrize("kernel_size", [1, 2, (2, 3)])
def test_one_position_at_a_time(x, kernel_size):
    anchor = "center" if kernel_size == (2, 3) else "corner"
    layer = GatedResidual(5, kernel_size, anchor=anchor)
    condition = x[..., :2]
    expected = layer(x, side=x, condition=condition).numpy().reshape(2, N, 4)
    random_weights(layer)
    expected = layer(x, side=x, condition=condition).numpy().reshape(2, N, 4)
    x, condition = x.reshape(2, N, 4), condition.reshape(2, N, 2)
    cache = layer.init_cache(2)
    assert len(cache) == (0 if kernel_size == 1 else 2)
    for i in range(N):
        actual, cache = layer.step(
            cache, x[:, i], i, side=x[:, i], condition=condition[:, i]
        )
        np.testing.assert_allclose(actual, expected[:, i], atol=1e-5)


@pytest.mark.parametrize("num_heads", [0, 1, 2])
def test_a_block_one_position_at_a_time(x, num_heads):
    block = PixelSNAILBlock(5, 2, num_heads=num_heads, key_dim=3, value_dim=4)
    rng = np.random.default_rng(4)
    content, background = (
        rng.normal(size=(2, H, W, size)).astype("float32") for size in (3, 2)
    )
    condition = x[:, :1, :1]
    block([x, content, background], condition=condition)
    random_weights(block)
    expected = block([x, content, background], condition=condition)
    expected = expected.numpy().reshape(2, N, 4)
    x, content, background = (
        a.reshape(2, N, -1) for a in (x, content, background)
    )
    cache = block.init_cache(2)
    for i in range(N):
        place = background[:, i]
        actual, inner, cache = block.step(
            cache, x[:, i], place, i, condition[:, 0, 0]
        )
        np.testing.assert_allclose(actual, expected[:, i], atol=1e-4)
        cache = block.remember(cache, inner, content[:, i], place, i)


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: filters=0"):
        GatedResidual(0)
    with pytest.raises(ValueError, match="Received: dropout=1.0"):
        GatedResidual(3, dropout=1.0)
    with pytest.raises(ValueError, match="Received: num_residual=0"):
        PixelSNAILBlock(3, 0)
    with pytest.raises(ValueError, match="num_heads=3"):
        PixelSNAILBlock(3, num_heads=3)


def test_half_precision(x):
    block = PixelSNAILBlock(4, 1, num_heads=2, dtype="mixed_bfloat16")
    outputs = block([tf.constant(x)] * 3, condition=tf.constant(x))
    assert outputs.dtype == tf.bfloat16
    assert {w.dtype for w in block.trainable_weights} == {"float32"}
