"""The layers of a U-Net that is told the time."""

import keras
import numpy as np
import pytest

from keras_vae.layers import SelfAttention
from keras_vae.layers import SinusoidalEmbedding
from keras_vae.layers import TimeResidual


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_embedding_against_numpy():
    t = np.array([0.0, 0.001, 0.37, 1.0], "float32")
    found = SinusoidalEmbedding(6, scale=10.0, max_period=100.0)(t)
    angles = 10.0 * np.float64(t)[:, None] * [1.0, 0.1, 0.01]
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_embedding_tells_neighbours_apart_in_half_precision():
    layer = SinusoidalEmbedding(32, dtype="mixed_bfloat16")
    y = layer(np.array([0.999, 1.0], "float32"))
    assert y.dtype == "bfloat16"
    assert np.abs(np.diff(np.float32(y), axis=0)).max() > 0.5


def test_attention_against_numpy(rng):
    layer = SelfAttention(num_heads=2, num_groups=1)
    x = rng.normal(size=(3, 2, 2, 4)).astype("float32")
    np.testing.assert_array_equal(layer(x), x)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    scale, offset, w, b, w_out, b_out = (
        np.float64(a)
        for a in (
            layer._norm.gamma,
            layer._norm.beta,
            layer._projection.kernel,
            layer._projection.bias,
            layer._output.kernel,
            layer._output.bias,
        )
    )
    flat = np.float64(x).reshape(3, 4, 4)
    mean = flat.mean((1, 2), keepdims=True)
    std = np.sqrt(flat.var((1, 2), keepdims=True) + layer._norm.epsilon)
    q, k, v = np.split(((flat - mean) / std * scale + offset) @ w + b, 3, -1)
    mixed = []
    for head in (slice(0, 2), slice(2, 4)):
        scores = q[..., head] @ k[..., head].transpose(0, 2, 1) / np.sqrt(2)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed.append(weights @ v[..., head])
    expected = flat + np.concatenate(mixed, -1) @ w_out + b_out
    np.testing.assert_allclose(
        layer(x), expected.reshape(x.shape), rtol=1e-3, atol=1e-4
    )


def test_attention_does_not_depend_on_the_order(rng):
    layer = SelfAttention(num_groups=2)
    x = rng.normal(size=(1, 6, 4)).astype("float32")
    layer.build(x.shape)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    order = rng.permutation(6)
    np.testing.assert_allclose(
        np.asarray(layer(x))[:, order], layer(x[:, order]), atol=1e-4
    )


def test_attention_of_extreme_input_is_finite():
    layer = SelfAttention(num_groups=1)
    x = np.array([[[1e8, -1e8], [1e8, 1e8]]], "float32")
    layer.build(x.shape)
    layer.set_weights([np.full(w.shape, 100.0) for w in layer.weights])
    assert np.all(np.isfinite(layer(x)))


@pytest.mark.parametrize("shape", [(7, 4), (3, 2, 4), (2, 3, 2, 4)])
def test_residual_is_the_shortcut_at_first(shape, rng):
    x = rng.normal(size=(2, *shape)).astype("float32")
    time = rng.normal(size=(2, 5)).astype("float32")
    np.testing.assert_array_equal(TimeResidual(4, 2)([x, time]), x)
    wider = TimeResidual(6, 2)
    found = wider([x, time])
    kernel = np.asarray(wider._shortcut.kernel).reshape(4, 6)
    np.testing.assert_allclose(found, x @ kernel, rtol=1e-4, atol=1e-5)


def test_residual_against_numpy(rng):
    """On one position, only the centre of a kernel counts."""
    layer = TimeResidual(2, num_groups=1)
    x = rng.normal(size=(3, 1, 2)).astype("float32")
    time = rng.normal(size=(3, 4)).astype("float32")
    layer.build([x.shape, time.shape])
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])

    def silu(a):
        return a / (1 + np.exp(-a))

    def normalise(norm, a):
        mean, variance = a.mean(-1, keepdims=True), a.var(-1, keepdims=True)
        a = (a - mean) / np.sqrt(variance + norm.epsilon)
        return a * np.float64(norm.gamma) + np.float64(norm.beta)

    def convolve(layer, a):
        return a @ np.float64(layer.kernel)[1] + np.float64(layer.bias)

    flat = np.float64(x)[:, 0]
    h = convolve(layer._convolutions[0], silu(normalise(layer._norms[0], flat)))
    dense = layer._time
    h += silu(np.float64(time)) @ np.float64(dense.kernel) + dense.bias
    h = convolve(layer._convolutions[1], silu(normalise(layer._norms[1], h)))
    np.testing.assert_allclose(
        np.asarray(layer([x, time]))[:, 0], flat + h, rtol=1e-3, atol=1e-4
    )


def test_dropout_keeps_the_mean(rng):
    layer = TimeResidual(1, num_groups=1, dropout=0.25, seed=1)
    x = rng.normal(size=(1, 5000, 1)).astype("float32")
    time = np.zeros((1, 2), "float32")
    layer.build([x.shape, time.shape])
    weights = layer._convolutions[1].kernel
    weights.assign(np.array([0.0, 1.0, 0.0]).reshape(weights.shape))
    inference = np.asarray(layer([x, time], training=False) - x)
    training = np.asarray(layer([x, time], training=True) - x)
    dropped = training == 0
    assert np.mean(dropped) == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(
        training[~dropped], inference[~dropped] / 0.75, rtol=1e-3, atol=1e-5
    )


def test_seeds(rng):
    x, time = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5))

    def weights(layer, inputs):
        layer(inputs)
        return layer.get_weights()

    for make, inputs in (
        (lambda seed: TimeResidual(6, 2, seed=seed), [x, time]),
        (lambda seed: SelfAttention(seed=seed, num_groups=2), x),
    ):
        first, same, other = (weights(make(s), inputs) for s in (1, 1, 2))
        for one, two in zip(first, same, strict=True):
            np.testing.assert_array_equal(one, two)
        assert any(not np.allclose(a, b) for a, b in zip(first, other))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SinusoidalEmbedding(5), "`dim`.*dim=5"),
        (lambda: SinusoidalEmbedding(2), "`dim`.*dim=2"),
        (lambda: SinusoidalEmbedding(4, scale=0.0), "`scale`.*scale=0.0"),
        (lambda: SinusoidalEmbedding(4, 1.0, 1.0), "`max_period`"),
        (lambda: SelfAttention(0), "`num_heads`.*num_heads=0"),
        (
            lambda: SelfAttention(3, 2).build((None, 5, 4)),
            "`num_heads`.*num_heads=3, channels=4",
        ),
        (
            lambda: SelfAttention(2, 3).build((None, 5, 4)),
            "`num_groups`.*num_groups=3, channels=4",
        ),
        (lambda: TimeResidual(0), "`filters`.*filters=0"),
        (lambda: TimeResidual(4, dropout=1.0), "`dropout`.*dropout=1.0"),
        (
            lambda: TimeResidual(4, 3).build([(None, 5, 3), (None, 2)]),
            "`num_groups`.*num_groups=3, filters=4",
        ),
        (
            lambda: TimeResidual(6, 3).build([(None, 5, 4), (None, 2)]),
            "`num_groups`.*num_groups=3, channels=4",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_round_trip(tmp_path, rng):
    x = keras.Input((5, 4))
    time = SinusoidalEmbedding(4, scale=10.0)(keras.Input((), name="t"))
    y = TimeResidual(6, 2, 0.5, seed=3)([x, time])
    model = keras.Model(
        [x, time._keras_history.operation.input], SelfAttention(2, 3)(y)
    )
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    inputs = [rng.normal(size=(2, 5, 4)), rng.uniform(size=2)]
    np.testing.assert_array_equal(copy(inputs), model(inputs))
