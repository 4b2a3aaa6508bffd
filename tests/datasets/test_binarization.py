import numpy as np
import pytest
import tensorflow as tf

from keras_vae.datasets import binarization
from keras_vae.datasets import binarize


def test_mean_is_the_grey_value():
    grey = np.linspace(0, 1, 11, dtype="float32")
    draws = binarize(np.tile(grey, (20_000, 1)), seed=1)
    assert draws.dtype == np.float32
    assert set(np.unique(draws)) == {0, 1}
    # Four standard errors.
    error = 4 * np.sqrt(grey * (1 - grey) / len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - grey) <= error)


def test_draws_are_independent():
    draws = binarize(np.full((20_000, 4), 0.5), seed=1)
    correlation = np.corrcoef(draws, rowvar=False) - np.eye(4)
    assert np.abs(correlation).max() < 4 / np.sqrt(len(draws))
    chunks = draws[: 2 * binarization.ROWS].reshape(2, -1)
    assert abs(np.corrcoef(chunks)[0, 1]) < 4 / np.sqrt(chunks.shape[1])


def test_only_the_seed_matters():
    x = np.random.default_rng(0).uniform(size=(50, 3, 2))
    first = binarize(x, seed=4)
    tf.random.set_seed(9)
    np.testing.assert_array_equal(binarize(x, seed=4), first)
    assert (binarize(x, seed=5) != first).any()
    np.testing.assert_array_equal(binarize(x[:7], seed=4), first[:7])


def test_binary_pixels_stay():
    x = np.random.default_rng(0).integers(0, 2, size=(300, 28, 28))
    np.testing.assert_array_equal(binarize(x), x)


@pytest.mark.parametrize("bad", [-0.1, 1.1, 255, np.nan, np.inf])
def test_range(bad):
    with pytest.raises(ValueError, match="in \\[0, 1\\]"):
        binarize(np.array([[0.5, bad]]))


def test_seed_is_an_integer():
    with pytest.raises(ValueError, match="seed='a'"):
        binarize(np.zeros((1, 1)), seed="a")
