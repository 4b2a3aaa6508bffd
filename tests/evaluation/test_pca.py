"""Principal components against a singular value decomposition."""

import numpy as np
import pytest

from keras_vae.evaluation import pca_reconstruction_error
from keras_vae.evaluation import pca_reconstructions
from keras_vae.evaluation import squared_error


@pytest.mark.parametrize("num_components", [1, 10, 30])
def test_digits(digits, num_components):
    train, test = digits[:1200], digits[1200:]
    flat = train.reshape(1200, 64).astype("float64")
    mean = flat.mean(axis=0)
    _, _, directions = np.linalg.svd(flat - mean, full_matrices=False)
    directions = directions[:num_components]
    centred = test.reshape(-1, 64) - mean
    projected = centred @ directions.T @ directions
    reconstructions = pca_reconstructions(train, test, num_components)
    assert reconstructions.dtype == np.float32
    np.testing.assert_allclose(
        reconstructions, (projected + mean).reshape(test.shape), atol=1e-6
    )
    assert pca_reconstruction_error(
        train, test, num_components
    ) == pytest.approx(np.mean(np.sum((centred - projected) ** 2, axis=1)))


def test_all_components_lose_nothing(digits):
    assert pca_reconstruction_error(digits, digits[:9], 64) < 1e-10


def test_squared_error_is_a_sum_over_dimensions():
    x = np.zeros((2, 3, 2))
    assert squared_error(x, x + 2.0) == 24.0


def test_large_offsets_do_not_swamp_the_components():
    x = 1e6 + np.random.default_rng(0).normal(size=(50, 4))
    assert 0.1 < pca_reconstruction_error(x, x, 2) < 4.0


@pytest.mark.parametrize("num_components", [0, 5, 2.5])
def test_bad_num_components(num_components):
    with pytest.raises(
        ValueError, match=f"Received: num_components={num_components}"
    ):
        pca_reconstruction_error(
            np.ones((9, 4)), np.ones((2, 4)), num_components
        )


@pytest.mark.parametrize(
    ("x_train", "x_test", "message"),
    [
        (np.ones((9, 4)), np.ones((9, 5)), r"x_test of shape \(9, 5\)"),
        (np.ones((9, 4), "uint8"), np.ones((9, 4)), "x_train of dtype uint8"),
        (np.ones((9, 4)), np.ones((0, 4)), r"x_test of shape \(0, 4\)"),
        (np.ones((9, 4)), np.full((1, 4), np.nan), "x_test with 4 of 4"),
    ],
)
def test_bad_data(x_train, x_test, message):
    with pytest.raises(ValueError, match=message):
        pca_reconstruction_error(x_train, x_test, 2)


def test_shapes_that_differ():
    with pytest.raises(ValueError, match=r"reconstructions of shape \(2, 1\)"):
        squared_error(np.ones((2, 2)), np.ones((2, 1)))
