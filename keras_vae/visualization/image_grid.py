"""A grid of images as a figure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.typing import Array
from keras_vae.typing import Figure
from keras_vae.visualization.tile_images import tile_images


def image_grid(
    images: ArrayLike,
    columns: int | None = None,
    title: str | None = None,
    padding: int = 1,
) -> Figure:
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


def show(
    picture: Array,
    title: str | None = None,
    row_labels: Sequence[str] | None = None,
) -> Figure:
    """Figure of one picture.

    Args:
        picture: Array `(height, width, channels)`.
        title: None, or str above it.
        row_labels: None, or a str for each of the equal rows it consists of.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    height, width = np.multiply(picture.shape[:2], 8.0 / max(picture.shape))
    top = 0.35 if title else 0.0
    lines = "\n".join(row_labels or []).split("\n")
    # Inches: a letter of 10 points is about 0.08 wide.
    left = 0.2 + 0.08 * max(map(len, lines)) if row_labels else 0.0
    figure = Figure((left + width, height + top))
    box = (
        left / (left + width),
        0.0,
        width / (left + width),
        height / (height + top),
    )
    axes = figure.add_axes(box)
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
    row_labels = row_labels or ()
    for row, label in enumerate(row_labels):
        axes.text(
            -0.01,
            1.0 - (row + 0.5) / len(row_labels),
            label,
            transform=axes.transAxes,
            ha="right",
            va="center",
        )
    return figure
