"""A grid of images as a figure."""

import numpy as np

from keras_vae.visualization.tile_images import tile_images


def image_grid(images, columns=None, title=None, padding=1):
    """Show images side by side.

    Args:
        images: Array `(num, height, width, channels)` in [0, 1], with 1 or 3
            channels.
        columns: Images in a row. Defaults to about the square root of `num`.
        title: None, or str above the grid.
        padding: Pixels between images. Defaults to 1.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If `images` are not images or `columns` is not positive.
    """
    return show(tile_images(images, columns, padding), title)


def show(picture, title=None):
    """Figure of one picture, an array `(height, width, channels)`."""
    from matplotlib.figure import Figure

    height, width = picture.shape[:2]
    scale = 8.0 / max(height, width)
    top = 0.35 if title else 0.0
    figure = Figure((width * scale, height * scale + top))
    axes = figure.add_axes(
        (0.0, 0.0, 1.0, height * scale / (height * scale + top))
    )
    axes.imshow(
        np.squeeze(picture, -1) if picture.shape[-1] == 1 else picture,
        cmap="gray",
        vmin=0.0,
        vmax=1.0,
        interpolation="nearest",
    )
    axes.set_axis_off()
    if title:
        axes.set_title(title)
    return figure
