"""What each unit of a code tells of each factor of variation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.typing import Figure


def plot_factor_map(
    values: ArrayLike, factor_names: Sequence[str], title: str | None = None
) -> Figure:
    """Show a number for each unit and factor as a map.

    Args:
        values: Array `(units, num_factors)`, not negative, such as
            `keras_vae.metrics.disentanglement.mutual_information`.
        factor_names: Names of the factors.
        title: None, or str above the map.

    Returns:
        `matplotlib.figure.Figure`, a row for each unit.

    Raises:
        ValueError: If there is not a column for each factor.
    """
    from matplotlib.figure import Figure

    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != len(factor_names):
        raise ValueError(
            "`values` must have shape (units, num_factors), for "
            f"{len(factor_names)} factors. "
            f"Received: values of shape {values.shape}"
        )
    units, factors = values.shape
    figure = Figure((1.2 + 0.9 * factors, 1.0 + 0.4 * units))
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    image = axes.imshow(values, vmin=0.0, aspect="auto", cmap="viridis")
    axes.set_xticks(range(factors), factor_names)
    axes.set_yticks(range(units), [f"unit {unit}" for unit in range(units)])
    figure.colorbar(image, ax=axes)
    if title:
        axes.set_title(title)
    return figure
