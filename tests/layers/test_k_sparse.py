"""Exactly the k largest, whatever the values."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import layers
from keras_vae import schedules


def reference(x, k):
    """A stable sort: of equal values the first comes first."""
    order = np.argsort(-x.astype("float64"), axis=-1, kind="stable")
    kept = np.zeros(x.shape, bool)
    np.put_along_axis(kept, order[..., :k], True, axis=-1)
    return np.where(kept, x, np.zeros([], x.dtype))


def inputs():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(16, 50)).astype("float32")
    few = rng.integers(-2, 3, (16, 50)).astype("float32")
    extreme = np.array(
        [
            [np.inf, -np.inf, 0.0, -0.0, 1e38, -1e38, 1e-30, -1e-30],
            [-np.inf] * 8,
            [np.inf] * 8,
            [-0.0, 0.0, -0.0, 0.0, -0.0, 0.0, -0.0, 0.0],
            [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0],
            [5.0, 5.0, 5.0, 1.0, 5.0, 5.0, 0.0, 5.0],
            [3.4e38, 3.3e38, -3.4e38, -3.3e38, np.inf, 1.0, -1.0, 0.0],
        ],
        "float32",
    )
    neighbours = np.nextafter(
        np.full((3, 20), 1.5, "float32"), np.float32(2.0)
    ) - np.float32(1.1920929e-07) * rng.integers(0, 4, (3, 20)).astype(
        "float32"
    )
    return {
        "normal": normal,
        "relu": np.maximum(normal, 0.0),
        "few values": few,
        "extreme": extreme,
        "neighbours": neighbours,
        "rank 4": normal.reshape(2, 4, 2, 50),
        "one unit": normal[:, :1],
        "wide range": np.exp(20 * normal),
        "empty": normal[:0],
    }


@pytest.mark.parametrize(
    ("jit_compile", "sort"), [(False, False), (False, True), (True, False)]
)
@pytest.mark.parametrize("name", inputs())
def test_the_k_largest(name, jit_compile, sort):
    x = inputs()[name]
    layer = layers.KSparse(1)
    layer.build(x.shape)
    keep = tf.function(
        lambda x, k: layer.keep(x, k, sort), jit_compile=jit_compile
    )
    width = x.shape[-1]
    # One traced function for all k: it is a tensor.
    for k in {1, min(2, width), max(width - 1, 1), width}:
        y = keep(tf.constant(x), tf.constant(k)).numpy()
        np.testing.assert_array_equal(y, reference(x, k))
    assert keep.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("sort", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_all_floats(dtype, sort):
    x = np.random.default_rng(1).normal(size=(16, 60))
    x[:, ::7] = -0.0
    x = tf.cast(x, dtype)
    layer = layers.KSparse(7, dtype=dtype)
    layer.build(x.shape)
    y = layer.keep(x, 7, sort)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(
        tf.cast(y, "float64"),
        reference(tf.cast(x, "float64").numpy(), 7),
    )


def test_float64_tells_close_values_apart():
    x = 1.0 + 1e-15 * np.array([[0.0, 3.0, 2.0, 1.0]])
    y = layers.KSparse(2, dtype="float64")(x)
    np.testing.assert_array_equal(y, reference(x, 2))


@pytest.mark.parametrize("sort", [False, True])
def test_nan_is_not_hidden(sort):
    layer = layers.KSparse(1)
    layer.build((1, 4))
    for nan in (np.nan, -np.nan):
        x = np.array([[3.0, nan, 2.0, 1.0]], "float32")
        assert np.isnan(layer.keep(x, 1, sort)[0, 1])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradient_is_zero_off_the_support(jit_compile):
    x = np.random.default_rng(0).normal(size=(3, 9)).astype("float32")
    x[0, 2], x[1, 3], x[2, :] = np.inf, -np.inf, 0.0
    layer = layers.KSparse(4)
    layer.build(x.shape)

    @tf.function(jit_compile=jit_compile)
    def gradient(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer.keep(x, 4)
        return tape.gradient(y, x, output_gradients=upstream)

    upstream = np.random.default_rng(1).normal(size=x.shape).astype("float32")
    kept = np.zeros(x.shape, bool)
    order = np.argsort(-x, axis=-1, kind="stable")
    np.put_along_axis(kept, order[:, :4], True, axis=-1)
    np.testing.assert_array_equal(
        gradient(tf.constant(x), tf.constant(upstream)),
        np.where(kept, upstream, 0.0),
    )


def test_alpha_counts_at_inference_only():
    x = np.random.default_rng(0).normal(size=(5, 20)).astype("float32")
    layer = layers.KSparse(4, inference_alpha=2.5)
    assert np.all(np.count_nonzero(layer(x, training=True), axis=1) == 4)
    assert np.all(np.count_nonzero(layer(x), axis=1) == 10)
    np.testing.assert_array_equal(layer(x), reference(x, 10))


@pytest.mark.parametrize(("alpha", "k"), [(100.0, 20), (0.01, 1)])
def test_inference_keeps_between_one_and_all(alpha, k):
    x = np.random.default_rng(0).normal(size=(5, 20)).astype("float32")
    layer = layers.KSparse(4, inference_alpha=alpha)
    assert np.all(np.count_nonzero(layer(x), axis=1) == k)
    schedule = schedules.LinearWarmUp(1, start=4, end=4)
    layer = layers.KSparse(schedule, inference_alpha=alpha)
    assert np.all(np.count_nonzero(layer(x), axis=1) == k)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_schedule_follows_the_training_calls(jit_compile):
    x = np.random.default_rng(0).normal(size=(5, 20)).astype("float32")
    schedule = schedules.LinearWarmUp(4, start=11.0, end=-3.0)
    layer = layers.KSparse(schedule, inference_alpha=2.0)
    layer.build(x.shape)
    train = tf.function(
        lambda x: layer(x, training=True), jit_compile=jit_compile
    )
    expected = [11, 8, 4, 1, 1, 1]  # 7.5 and 0.5 round to even, clipped
    for k in expected:
        infer = np.count_nonzero(layer(x), axis=1)
        assert np.all(infer == min(2 * k, 20))
        assert np.all(np.count_nonzero(train(tf.constant(x)), axis=1) == k)
    assert int(layer.step) == len(expected)


def test_keep_does_not_count():
    layer = layers.KSparse(2)
    layer.build((None, 3))
    layer.keep(tf.zeros([1, 3]), 2)
    assert int(layer.step) == 0


# === In a model, under Keras's own training step ===


def sequential():
    keras.utils.set_random_seed(1)
    schedule = schedules.LinearWarmUp(3, start=6, end=2)
    layer = layers.KSparse(schedule, inference_alpha=2.0)
    model = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(8), layer, keras.layers.Dense(5)]
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse")
    return model, layer


def test_two_replicas_are_one(mirrored):
    x = np.random.default_rng(0).normal(size=(12, 5)).astype("float32")
    results = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            model, layer = sequential()
        history = model.fit(x, x, batch_size=4, shuffle=False, verbose=0)
        assert int(layer.step.numpy()) == 3
        results.append([history.history["loss"], *model.get_weights()])
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)


def test_the_count_is_saved(tmp_path):
    x = np.random.default_rng(0).normal(size=(12, 5)).astype("float32")
    model, _ = sequential()
    model.fit(x, x, batch_size=6, verbose=0)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert int(restored.layers[1].step) == 2
    np.testing.assert_array_equal(restored(x), model(x))


# === Bad input ===


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one(k):
    with pytest.raises(ValueError, match=f"Received: k={k}"):
        layers.KSparse(k)


@pytest.mark.parametrize("k", [2.5, "3", None, True])
def test_k_of_another_type(k):
    with pytest.raises(ValueError, match="Received: k="):
        layers.KSparse(k)


@pytest.mark.parametrize("k", [6, schedules.LinearWarmUp(9, start=6, end=1)])
def test_k_above_the_width(k):
    with pytest.raises(ValueError, match="Received: k=6, width=5"):
        layers.KSparse(k)(np.zeros((2, 5), "float32"))


def test_a_schedule_that_starts_below_one():
    with pytest.raises(ValueError, match="at step 0. Received: k=0, width=5"):
        layers.KSparse(schedules.LinearWarmUp(9, end=3)).build((None, 5))


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_alpha_not_positive(alpha):
    with pytest.raises(ValueError, match="Received: inference_alpha="):
        layers.KSparse(2, inference_alpha=alpha)


@pytest.mark.parametrize("shape", [(3,), (3, None)])
def test_inputs_without_a_width(shape):
    with pytest.raises(ValueError, match="Received: input_shape="):
        layers.KSparse(2).build(shape)
