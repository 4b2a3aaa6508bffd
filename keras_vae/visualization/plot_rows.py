"""Versions of the same images, one below the other."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.typing import Figure
from keras_vae.visualization.image_grid import show
from keras_vae.visualization.tile_images import as_images
from keras_vae.visualization.tile_images import tile_images


def plot_rows(
    rows: Mapping[str, ArrayLike], title: str | None = None
) -> Figure:
    """Show several versions of the same images, a labelled row for each.

    Args:
        rows: dict from labels to images `(num, height, width, channels)` in
            [0, 1], all of one shape.
        title: None, or str above them.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If these are not images with 1 or 3 channels, of one
            shape.
    """
    images = {label: as_images(row, label) for label, row in rows.items()}
    shapes = {label: row.shape for label, row in images.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(
            "`rows` must hold images of one shape, at least one row. "
            f"Received: rows of shapes {shapes}"
        )
    picture = tile_images(
        np.concatenate(list(images.values())),
        columns=len(next(iter(images.values()))),
    )
    return show(picture, title, list(images))
