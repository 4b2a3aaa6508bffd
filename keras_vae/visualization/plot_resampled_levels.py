"""Images whose upper levels are kept."""

import keras
import numpy as np

from keras_vae.typing import Figure
from keras_vae.typing import Seed
from keras_vae.typing import TensorLike
from keras_vae.visualization.plot_rows import plot_rows


def plot_resampled_levels(
    model: keras.Model, x: TensorLike, num: int = 10, seed: Seed = 0
) -> Figure:
    """Show what each level of a hierarchy decides.

    In each row the lower levels are drawn from p, one level more from row to
    row; those above are kept at the posterior means of the image, which
    begins the row.

    Args:
        model: A model of images with `resample` and `num_levels`.
        x: One image, (*event_shape,).
        num: Draws in a row. Defaults to 10.
        seed: Of the draws.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If this is not an image with 1 or 3 channels.
    """
    x = np.asarray(x, "float32")[np.newaxis]
    rows = {}
    for level in range(1, model.num_levels + 1):
        (drawn,) = np.asarray(model.resample(x, level, num, seed))
        name = "z_1" if level == 1 else f"z_1 .. z_{level}"
        rows[name] = np.concatenate([x, drawn])
    return plot_rows(rows, title="drawn anew, given the levels above")
