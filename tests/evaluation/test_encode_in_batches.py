"""Codes do not depend on how the data come."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.evaluation import encode_in_batches


class Corners:
    """The code is a 2 x 2 patch, in half precision."""

    def encode(self, x):
        return tf.cast(x[:, :2, :2], "bfloat16")


X = np.arange(7 * 9, dtype="float32").reshape(7, 3, 3)


def test_codes_are_flat_float32_rows_in_order():
    codes = encode_in_batches(Corners(), X, batch_size=3)
    assert codes.dtype == np.float32
    np.testing.assert_array_equal(codes, X[:, :2, :2].reshape(7, 4))


def test_a_data_set_keeps_its_batches():
    data = tf.data.Dataset.from_tensor_slices((X, np.arange(7))).batch(2)
    np.testing.assert_array_equal(
        encode_in_batches(Corners(), data), encode_in_batches(Corners(), X)
    )


@pytest.mark.parametrize(
    "x", [X[:0], tf.data.Dataset.from_tensor_slices(X[:0]).batch(2)]
)
def test_no_data(x):
    with pytest.raises(ValueError, match="at least one example"):
        encode_in_batches(Corners(), x)


def test_batch_size_must_be_positive():
    with pytest.raises(ValueError, match="Received: batch_size=0"):
        encode_in_batches(Corners(), X, batch_size=0)
