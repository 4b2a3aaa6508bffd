"""How often units are how active."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.typing import Figure


def plot_activation_histograms(
    activations: ArrayLike | Mapping[str, ArrayLike],
    bins: int = 100,
    title: str | None = None,
) -> Figure:
    """Show histograms of activations over units and examples.

    Counts are logarithmic: a sparse code has most of its mass in one bin, at
    zero, and what distinguishes codes is the tail.

    Args:
        activations: Array of any shape, or a dict from names to arrays, drawn
            over each other with common bins.
        bins: Number of bins. Defaults to 100.
        title: None, or str above the histogram.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there are no activations, or some are not finite.
    """
    from matplotlib.figure import Figure

    bins = positive_int("bins", bins)
    named: dict[str | None, ArrayLike] = (
        {name: values for name, values in activations.items()}
        if isinstance(activations, Mapping)
        else {None: activations}
    )
    arrays = {
        name: np.asarray(values, "float32").ravel()
        for name, values in named.items()
    }
    if not arrays or not all(
        len(values) and np.isfinite(values).all() for values in arrays.values()
    ):
        sizes = {name: len(values) for name, values in arrays.items()}
        raise ValueError(
            "`activations` must hold finite numbers. "
            f"Received: activations with these numbers of values: {sizes}"
        )
    edges = np.histogram_bin_edges(
        [f(values) for values in arrays.values() for f in (np.min, np.max)],
        bins,
    )
    figure = Figure((7.0, 4.5), layout="constrained")
    axes = figure.add_subplot(
        xlabel="activation", ylabel="count", yscale="log", title=title
    )
    for name, values in arrays.items():
        counts, _ = np.histogram(values, edges)
        axes.stairs(counts, edges, label=name, fill=len(arrays) == 1)
    # Empty bins have no logarithm.
    axes.set_ylim(bottom=0.5)
    if None not in arrays:
        axes.legend()
    return figure
