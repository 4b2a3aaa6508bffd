import functools

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.layers.nearest_codes import nearest_codes


def draw(n, num_codes=37, dim=5, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, dim))
    codebook = rng.normal(size=(num_codes, dim))
    return z.astype("float32"), codebook.astype("float32")


def squared_distances(z, codebook):
    z, codebook = z.astype("float64"), codebook.astype("float64")
    return ((z[:, None] - codebook) ** 2).sum(-1)


def compiled(jit_compile, **settings):
    return tf.function(
        functools.partial(nearest_codes, **settings), jit_compile=jit_compile
    )


@pytest.mark.parametrize("num_codes", [1, 2, 31, 32, 33, 147])
@pytest.mark.parametrize("dim", [1, 8])
def test_numpy_in_float64(num_codes, dim):
    z, codebook = draw(200, num_codes, dim)
    index = nearest_codes(z, codebook)
    assert index.dtype == "int32"
    np.testing.assert_array_equal(
        index, squared_distances(z, codebook).argmin(1)
    )


@pytest.mark.parametrize("n", [0, 1, 6, 7, 8, 14, 20])
@pytest.mark.parametrize("mode", ["eager", "graph", "xla", "unknown size"])
def test_chunks_of_seven(n, mode):
    z, codebook = draw(n)
    search = functools.partial(nearest_codes, chunk_size=7)
    if mode == "unknown size":
        search = tf.function(
            search,
            input_signature=[
                tf.TensorSpec((None, 5)),
                tf.TensorSpec(codebook.shape),
            ],
        )
    elif mode != "eager":
        search = compiled(mode == "xla", chunk_size=7)
    index = search(tf.constant(z), tf.constant(codebook))
    assert index.shape == (n,)
    np.testing.assert_array_equal(
        index, squared_distances(z, codebook).argmin(1)
    )


@pytest.mark.parametrize("n", [0, 6, 20])
def test_xla_where_the_batch_is_unknown_when_traced(n):
    z, codebook = draw(n)
    search = tf.function(
        lambda z: nearest_codes(z, codebook, chunk_size=7),
        input_signature=[tf.TensorSpec((None, 5))],
        jit_compile=True,
    )
    np.testing.assert_array_equal(
        search(z), squared_distances(z, codebook).argmin(1)
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_ties_go_to_the_lowest(jit_compile):
    """Within a block of codes, and between blocks."""
    z = np.float32([[0.25], [-3.0], [3.0]])
    codebook = np.ones((100, 1), "float32")
    codebook[[40, 41, 90]] = 0.0
    codebook[[5, 70]] = -2.0
    search = compiled(jit_compile)
    np.testing.assert_array_equal(search(z, codebook), [40, 5, 0])


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_scale_does_not_matter(scale):
    z, codebook = draw(50)
    index = nearest_codes(np.float32(scale * z), np.float32(scale * codebook))
    np.testing.assert_array_equal(
        index, squared_distances(z, codebook).argmin(1)
    )


def test_a_common_shift_costs_no_precision():
    """Without an origin of its own, ||e||^2 here rounds by 8, not 1e-4."""
    z, codebook = (np.float32(a + 1e4) for a in draw(200))
    distances = squared_distances(z, codebook)
    index = np.asarray(nearest_codes(z, codebook))
    found = np.take_along_axis(distances, index[:, None], 1)[:, 0]
    np.testing.assert_allclose(found, distances.min(1), atol=0.01)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("value", [3e38, -3e38, np.inf, -np.inf, np.nan])
def test_an_index_exists_whatever_the_vector(value, jit_compile):
    z, codebook = draw(3)
    z[1] = value
    index = np.asarray(compiled(jit_compile)(z, codebook))
    assert 0 <= index.min() and index.max() < len(codebook)
    np.testing.assert_array_equal(
        index[::2], squared_distances(z[::2], codebook).argmin(1)
    )


def test_no_gradient():
    z, codebook = map(tf.Variable, draw(20))
    with tf.GradientTape() as tape:
        index = nearest_codes(z, codebook, chunk_size=7)
        loss = tf.reduce_sum(tf.cast(index, "float32"))
    assert tape.gradient(loss, [z, codebook]) == [None, None]
