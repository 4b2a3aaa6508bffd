"""Inputs and what a model makes of them."""

import keras

from keras_vae.typing import Figure
from keras_vae.typing import TensorLike
from keras_vae.visualization.image_grid import show
from keras_vae.visualization.tile_images import as_images
from keras_vae.visualization.tile_images import tile_pairs


def plot_reconstructions(
    model: keras.Model, x: TensorLike, columns: int | None = None
) -> Figure:
    """Show rows of inputs, each above the row of their reconstructions.

    Args:
        model: A model with `reconstruct`.
        x: Images `(num, height, width, channels)` in [0, 1].
        columns: Images in a row. Defaults to at most 10.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If `x` are not images with 1 or 3 channels.
    """
    x = as_images(x, "x")
    return show(
        tile_pairs(x, model.reconstruct(x), columns),
        "inputs, and below them their reconstructions",
    )
