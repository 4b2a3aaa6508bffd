"""Images, what corruption leaves of them, and what a model makes of that."""

import keras

from keras_vae.typing import Figure
from keras_vae.typing import TensorLike
from keras_vae.visualization.plot_rows import plot_rows
from keras_vae.visualization.tile_images import as_images


def plot_corrupted_reconstructions(
    model: keras.Model, x: TensorLike, seed: int = 0
) -> Figure:
    """Show clean images, corrupted ones and the reconstructions of these.

    Args:
        model: A model of images with `corrupt` and `reconstruct`, such as
            `keras_vae.DenoisingAutoencoder`.
        x: Images `(num, height, width, channels)` in [0, 1], one column each.
        seed: int, of the corruption. Defaults to 0.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If `x` are not images with 1 or 3 channels, or the model
            has no corruption.
    """
    x = as_images(x, "x")
    corrupted, _ = model.corrupt(x, seed=seed)
    return plot_rows(
        {
            "clean": x,
            "corrupted": corrupted,
            "reconstructed": model.reconstruct(corrupted),
        }
    )
