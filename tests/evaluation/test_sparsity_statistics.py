"""Sparsity by hand, in batches or not."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.evaluation import sparsity_statistics


class Maps:
    """The code is a 2 x 2 map, in half precision."""

    def encode(self, x):
        return tf.cast(tf.reshape(x, (-1, 2, 2)), "bfloat16")


X = np.float32(
    [[0.5, 0.0, 0.0, 1.0], [0.25, 0.0, -1.0, 1.0], [0.0, 0.0, -0.5, 1.0]]
)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_by_hand(batch_size):
    result = sparsity_statistics(Maps(), X, batch_size=batch_size)
    np.testing.assert_allclose(result.mean_activation, [0.25, 0, -0.5, 1])
    np.testing.assert_allclose(result.frequency, [2 / 3, 0, 2 / 3, 1])
    assert result.dead_units == 1
    assert result.mean_active_units == pytest.approx(7 / 3)
    assert result.active_fraction == pytest.approx(7 / 12)
    # Deviations from 0.5: 0.25, 0.5, 1, 0.5.
    assert result.mean_deviation(0.5) == pytest.approx(2.25 / 4)


def test_threshold_is_exclusive():
    result = sparsity_statistics(Maps(), X, threshold=0.5)
    np.testing.assert_allclose(result.frequency, [0, 0, 1 / 3, 1])
    assert result.dead_units == 2


def test_a_data_set():
    data = tf.data.Dataset.from_tensor_slices((X, np.arange(3))).batch(2)
    assert sparsity_statistics(Maps(), data).dead_units == 1


def test_many_examples_lose_no_precision():
    # A sum of ones in float32 stops growing at 2**24.
    class Constant:
        def encode(self, x):
            return np.broadcast_to(np.float32(1.0), (2**20, 1))

    result = sparsity_statistics(Constant(), np.zeros(20), batch_size=1)
    assert result.mean_activation.tolist() == [1.0]


@pytest.mark.parametrize("threshold", [-0.1, np.nan, np.inf])
def test_bad_threshold(threshold):
    with pytest.raises(ValueError, match=f"Received: threshold={threshold}"):
        sparsity_statistics(Maps(), X, threshold=threshold)


def test_no_data():
    with pytest.raises(ValueError, match="at least one example"):
        sparsity_statistics(Maps(), X[:0])
