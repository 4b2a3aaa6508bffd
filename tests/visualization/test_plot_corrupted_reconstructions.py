"""Three rows: clean, corrupted, what is made of the corrupted."""

import numpy as np
import pytest

import keras_vae
from keras_vae.visualization import plot_corrupted_reconstructions
from tests.visualization.models import Stripes
from tests.visualization.models import Vectors
from tests.visualization.models import pixels_of

X = np.random.default_rng(0).random((4, 2, 2, 1), "float32")


class Dimmed(Stripes):
    """Corruption darkens by the seed."""

    def corrupt(self, x, seed=None):
        return x / (2.0 + seed), np.ones(x.shape, bool)


class DimmedVectors(Dimmed, Vectors):
    """Its reconstructions are no images."""


def test_rows():
    figure = plot_corrupted_reconstructions(Dimmed(), X, seed=2)
    grid = pixels_of(figure)
    assert grid.shape == (8, 11)
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert labels == ["clean", "corrupted", "reconstructed"]
    image = X[1, :, :, 0]
    np.testing.assert_allclose(grid[:2, 3:5], image)
    np.testing.assert_allclose(grid[3:5, 3:5], image / 4)
    np.testing.assert_allclose(
        grid[6:, 3:5], np.tile(image.mean(axis=0) / 4, (2, 1)), rtol=1e-6
    )


def test_of_a_denoising_autoencoder():
    model = keras_vae.DenoisingAutoencoder(
        keras_vae.networks.mlp_encoder((2, 2, 1), (3,)),
        keras_vae.networks.mlp_decoder(3, (2, 2, 1), (3,)),
        corruption=keras_vae.layers.MaskingNoise(0.5),
    )
    x = 0.25 + 0.5 * X
    grids = [
        pixels_of(plot_corrupted_reconstructions(model, x, seed=seed))
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(grids[0], grids[1])
    assert np.any(grids[0] != grids[2])
    assert set(np.unique(grids[0][3:5, 3:5])) <= {0.0, *np.unique(x)}


def test_data_that_are_no_images():
    with pytest.raises(ValueError, match="must be images of shape"):
        plot_corrupted_reconstructions(DimmedVectors(), X)
    with pytest.raises(ValueError, match="must be images of shape"):
        plot_corrupted_reconstructions(Dimmed(), X[..., 0])
