"""Convolutions that see only what comes before, and one step of them."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.layers import CausalConv2D

H, W = 4, 5
KINDS = {
    "corner 2": {"kernel_size": 2},
    "corner (1, 3)": {"kernel_size": (1, 3)},
    "corner 3 strict": {"kernel_size": 3, "include_current": False},
    "center 3": {"kernel_size": 3, "anchor": "center"},
    "center 5": {"kernel_size": 5, "anchor": "center"},
    "center (2, 3) strict": {
        "kernel_size": (2, 3),
        "anchor": "center",
        "include_current": False,
    },
    "center (2, 1) strict": {
        "kernel_size": (2, 1),
        "anchor": "center",
        "include_current": False,
    },
}


@pytest.fixture(params=KINDS)
def layer(request):
    return CausalConv2D(3, **KINDS[request.param])


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(2, H, W, 4)).astype("float32")


def taps(layer):
    """Offsets that a position may see, by the definition."""
    rows, columns = layer.kernel_size
    left = columns - 1 if layer.anchor == "corner" else columns // 2
    offsets = itertools.product(
        range(1 - rows, 1), range(-left, columns - left)
    )
    last = (0, 0) if layer.include_current else (0, -1)
    return [offset for offset in offsets if offset <= last]


def test_each_tap_has_a_weight_and_no_other_place_has(layer):
    """The response to a single one is the kernel, turned round."""
    shape = (1, 11, 11, 1)
    layer.build(shape)
    x = np.zeros(shape, "float32")
    x[0, 5, 5] = 1.0
    response = np.any(layer(x).numpy()[0] != 0, axis=-1)
    expected = {(5 - row, 5 - column) for row, column in taps(layer)}
    assert {tuple(place) for place in np.argwhere(response)} == expected
    assert layer.count_params() == 3 * len(expected) + 3


def test_against_numpy(layer, x):
    actual = layer(x)
    kernels = {}
    unit = np.zeros((1, 11, 11, 4), "float32")
    for row, column in taps(layer):
        for channel in range(4):
            unit[0, 5, 5] = np.eye(4)[channel]
            kernels[row, column, channel] = layer(unit)[0, 5 - row, 5 - column]
    expected = np.zeros((2, H, W, 3))
    places = itertools.product(range(H), range(W), kernels.items())
    for i, j, ((row, column, channel), weights) in places:
        if 0 <= i + row and 0 <= j + column < W:
            value = x[:, i + row, j + column, channel].astype("float64")
            expected[:, i, j] += value[:, np.newaxis] * weights.numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_one_position_at_a_time(layer, x):
    expected = layer(x).numpy().reshape(2, H * W, 3)
    flat = tf.reshape(x, [2, H * W, 4])
    cache = layer.init_cache(2)
    for index in range(H * W):
        if layer.include_current:
            cache = layer.write(cache, flat[:, index], index)
        actual = layer.read(cache, index)
        np.testing.assert_allclose(actual, expected[:, index], atol=1e-5)
        if not layer.include_current:
            cache = layer.write(cache, flat[:, index], index)


def test_a_cache_holds_rows_not_the_image():
    layer = CausalConv2D(3, 2)
    layer.build((None, 100, W, 4))
    assert layer.init_cache(7).shape == (2 * (W + 1), 7, 4)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_loop_leaves_earlier_caches_alone(jit_compile):
    """Writing in place must not be seen from outside."""
    layer = CausalConv2D(2, 2)
    layer.build((None, H, W, 1))
    start = layer.init_cache(1)

    @tf.function(jit_compile=jit_compile)
    def run(cache):
        def step(index, cache):
            one = tf.ones([1, 1])
            return index + 1, layer.write(cache, one, index)

        return tf.while_loop(lambda i, _: i < 3, step, [0, cache])[1]

    first, second = run(start), run(start)
    assert tf.reduce_sum(start) == 0
    assert tf.reduce_sum(first) == tf.reduce_sum(second) == 3


def test_an_image_of_one_row_or_column(x):
    strict = CausalConv2D(3, (2, 3), "center", include_current=False)
    assert strict(x[:, :1]).shape == (2, 1, W, 3)
    assert strict(x[:, :, :1]).shape == (2, H, 1, 3)
    np.testing.assert_array_equal(strict(x[:, :1, :1]), np.zeros((2, 1, 1, 3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": 0}, "Received: filters=0"),
        ({"kernel_size": 0}, "Received: kernel_size="),
        ({"kernel_size": (2, 2, 2)}, "Received: kernel_size="),
        ({"anchor": "middle"}, "Received: anchor='middle'"),
        ({"kernel_size": 2, "anchor": "center"}, "odd.*kernel_size=.2, 2"),
        (
            {"kernel_size": 1, "include_current": False},
            "Received: kernel_size=.1, 1., include_current=False",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CausalConv2D(**{"filters": 3, **arguments})
