"""The figures made of images show the right ones."""

import numpy as np
import pytest

from keras_vae.visualization import image_grid
from keras_vae.visualization import plot_manifold
from keras_vae.visualization import plot_reconstructions
from keras_vae.visualization import plot_samples
from keras_vae.visualization import plot_traversals
from keras_vae.visualization import tile_images
from tests.visualization.models import Stripes
from tests.visualization.models import Vectors
from tests.visualization.models import pixels_of

X = np.random.default_rng(0).random((4, 2, 2, 1), "float32")


@pytest.mark.parametrize("channels", [1, 3])
def test_image_grid(channels):
    images = np.random.default_rng(0).random((6, 4, 5, channels), "float32")
    figure = image_grid(images, columns=2, title="six")
    expected = tile_images(images, columns=2)
    np.testing.assert_array_equal(
        pixels_of(figure).reshape(expected.shape), expected
    )
    assert figure.axes[0].get_title() == "six"
    # 0 is black and 1 is white, whatever values occur.
    assert figure.axes[0].get_images()[0].get_clim() == (0.0, 1.0)


def test_reconstructions():
    grid = pixels_of(plot_reconstructions(Stripes(), X))
    np.testing.assert_allclose(grid[:2, 3:5], X[1, :, :, 0])
    np.testing.assert_allclose(
        grid[3:5, 3:5], np.tile(X[1, :, :, 0].mean(axis=0), (2, 1))
    )


def test_samples():
    grid = pixels_of(plot_samples(Stripes(), 4, seed=3, temperature=0.5))
    expected = tile_images(Stripes().sample(4, seed=3, temperature=0.5))
    np.testing.assert_array_equal(grid, expected[:, :, 0])


def test_manifold():
    grid = pixels_of(plot_manifold(Stripes(), columns=3))
    # Normal quantiles at 1/6, 1/2, 5/6, then clipped to [0, 1].
    line = np.clip([-0.9674, 0.0, 0.9674], 0, 1)
    # The first unit grows to the right, the second upwards.
    np.testing.assert_allclose(grid[0, ::3], line, atol=1e-4)
    np.testing.assert_allclose(grid[::3, 1], line[::-1], atol=1e-4)


def test_traversals():
    figure = plot_traversals(Stripes(), X, columns=3, span=0.8)
    grid = pixels_of(figure)
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert [label.split("\n")[0] for label in labels] == ["unit 1", "unit 0"]
    code = Stripes().encode(X[:1])[0]
    np.testing.assert_allclose(grid[0, 1::3], [0.0, 0.0, 0.8], atol=1e-6)
    np.testing.assert_allclose(grid[0, 0::3], 3 * [code[0]], rtol=1e-6)
    np.testing.assert_allclose(grid[3, 0::3], [0.0, 0.0, 0.8], atol=1e-6)
    np.testing.assert_allclose(grid[3, 1::3], 3 * [code[1]], rtol=1e-6)


def test_traversals_ranked_by_variance():
    x = np.stack([np.zeros((2, 2, 1)), np.array([[[1], [0]], [[1], [0]]])])
    figure = plot_traversals(Stripes(), x, units=1, definition="variance")
    (label,) = figure.axes[0].texts
    assert label.get_text() == "unit 0\nvariance 0.25"


@pytest.mark.parametrize(
    "plot",
    [
        lambda: plot_reconstructions(Vectors(), X),
        lambda: plot_samples(Vectors()),
        lambda: plot_manifold(Vectors()),
        lambda: plot_traversals(Vectors(), X),
    ],
)
def test_data_that_are_no_images(plot):
    with pytest.raises(ValueError, match="must be images of shape"):
        plot()


def test_a_manifold_has_two_dimensions():
    model = Stripes()
    model.latent_dim = 3
    with pytest.raises(ValueError, match="Received: model with latent_dim=3"):
        plot_manifold(model)


@pytest.mark.parametrize("name", ["units", "columns"])
def test_positive_arguments(name):
    with pytest.raises(ValueError, match=f"Received: {name}=0"):
        plot_traversals(Stripes(), X, **{name: 0})
