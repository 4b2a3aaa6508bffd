"""Each image is where it belongs."""

import numpy as np
import pytest

from keras_vae.visualization import tile_images
from keras_vae.visualization.tile_images import tile_pairs


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("padding", [0, 1, 3])
def test_places(channels, padding):
    images = np.random.default_rng(0).random((5, 2, 4, channels))
    grid = tile_images(images, columns=3, padding=padding)
    assert grid.dtype == np.float32
    assert grid.shape == (4 + padding, 12 + 2 * padding, channels)
    covered = np.zeros(grid.shape[:2], bool)
    for index, image in enumerate(images):
        top = index // 3 * (2 + padding)
        left = index % 3 * (4 + padding)
        place = np.s_[top : top + 2, left : left + 4]
        np.testing.assert_allclose(grid[place], image, rtol=1e-6)
        covered[place] = True
    assert (grid[~covered] == 1.0).all()


def test_about_square_by_default():
    assert tile_images(np.zeros((10, 5, 5, 1)), padding=0).shape == (15, 20, 1)


def test_values_are_clipped():
    images = np.array([-1.0, 0.5, 2.0]).reshape(1, 1, 3, 1)
    np.testing.assert_array_equal(tile_images(images).ravel(), [0, 0.5, 1])


def test_pairs_are_above_each_other():
    x = np.arange(1, 6).reshape(5, 1, 1, 1) / 10
    grid = tile_pairs(x, x + 0.4, columns=3, padding=0)[:, :, 0]
    np.testing.assert_allclose(
        grid,
        [
            [0.1, 0.2, 0.3],
            [0.5, 0.6, 0.7],
            [0.4, 0.5, 1.0],
            [0.8, 0.9, 1.0],
        ],
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    "shape", [(4, 64), (8, 8, 1), (4, 8, 8, 2), (0, 8, 8, 1)]
)
def test_data_that_are_no_images(shape):
    with pytest.raises(ValueError, match=r"cannot be shown as pictures\. Rec"):
        tile_images(np.zeros(shape))


def test_pairs_of_two_shapes():
    with pytest.raises(ValueError, match="must have the shape of `x`"):
        tile_pairs(np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4, 3)))


def test_columns_must_be_positive():
    with pytest.raises(ValueError, match="Received: columns=0"):
        tile_images(np.zeros((2, 4, 4, 1)), columns=0)
