"""What each unit of a code does."""

import keras
import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.metrics.active_units import active_units
from keras_vae.typing import Array
from keras_vae.typing import Figure
from keras_vae.visualization.image_grid import show
from keras_vae.visualization.tile_images import as_images
from keras_vae.visualization.tile_images import tile_images


def plot_traversals(
    model: keras.Model,
    x: Array,
    units: int = 10,
    columns: int = 11,
    span: float = 3.0,
    definition: str = "kl",
    batch_size: int = 1000,
) -> Figure:
    """Show how the decoded image changes with one unit at a time.

    The code of the first input is decoded with one unit set to values from
    -span to span. Rows are units, the most informative first.

    Args:
        model: A model of images with `encode` and `decode`, and with what
            `keras_vae.metrics.active_units` needs.
        x: Array of inputs. All of them rank the units, the first is shown.
        units: Number of rows at most. Defaults to 10.
        columns: Number of values. Defaults to 11.
        span: Largest value. Defaults to 3, in units of a standard prior.
        definition: What ranks the units, as in `active_units`: "kl" (default)
            or, for a prior that is not normal, "variance".
        batch_size: Examples encoded at a time. Defaults to 1000.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If the model decodes to other than images with 1 or 3
            channels, or `units` or `columns` is not positive.
    """
    units = positive_int("units", units)
    columns = positive_int("columns", columns)
    statistic = active_units(
        model, x, definition=definition, batch_size=batch_size
    ).statistic
    order = np.argsort(-statistic, kind="stable")[:units]
    code = np.asarray(model.encode(x[:1])).reshape(1, -1)
    codes = np.repeat(code, len(order) * columns, axis=0)
    for row, unit in enumerate(order):
        codes[row * columns : (row + 1) * columns, unit] = np.linspace(
            -span, span, columns
        )
    images = as_images(model.decode(codes), "decoded codes")
    name = {"kl": "KL", "variance": "variance"}[definition]
    labels = [f"unit {unit}\n{name} {statistic[unit]:.3g}" for unit in order]
    return show(
        tile_images(images, columns),
        f"one unit in each row, from {-span:g} to {span:g}",
        labels,
    )
