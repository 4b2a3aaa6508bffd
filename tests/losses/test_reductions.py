import numpy as np
import pytest
import tensorflow as tf

from keras_vae.losses import sum_event


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_sums_the_last_axes(rank):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    expected = x.sum(tuple(range(4 - rank, 4)))
    np.testing.assert_allclose(
        sum_event(tf.constant(x, "float32"), rank), expected, rtol=1e-5
    )


def test_half_precision_is_summed_in_float32():
    # In float16 a sum of 4096 ones and a bit stops at 2048.
    x = tf.ones([1, 4097], "float16")
    total = sum_event(x, 1)
    assert total.dtype == tf.float32
    assert float(total[0]) == 4097.0
