"""Curves of the terms of an objective."""

from collections.abc import Mapping
from collections.abc import Sequence

import keras
import numpy as np

from keras_vae.typing import Figure


def plot_history(
    history: keras.callbacks.History | Mapping[str, Sequence[float]],
) -> Figure:
    """Show each term over the epochs, in training and validation.

    Args:
        history: The result of `fit`, or its `history`: a dict from names to
            lists of values, one for each epoch.

    Returns:
        `matplotlib.figure.Figure`, one panel for each term.

    Raises:
        ValueError: If the history is empty.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    values = getattr(history, "history", history)
    names = list(dict.fromkeys(n.removeprefix("val_") for n in values))
    if not names:
        raise ValueError(
            "`history` must hold at least one epoch. "
            f"Received: history={values}"
        )
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure((4.0 * columns, 3.0 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for name, axes in zip(names, panels):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in values:
                # With few epochs a curve is points, not a line.
                marker = "o" if len(values[key]) < 20 else None
                epochs = np.arange(1, len(values[key]) + 1)
                axes.plot(epochs, values[key], label=label, marker=marker, ms=3)
        axes.set(title=name, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if len(axes.lines) > 1:
            axes.legend()
        curves = np.concatenate([line.get_ydata() for line in axes.lines])
        finite = np.isfinite(curves).all()
        if finite and np.ptp(curves) < 1e-4 * np.abs(curves).max():
            # Constant but for rounding: no scale of millionths.
            axes.set_ylim(*sorted((0.9 * curves[0], 1.1 * curves[0])))
    for axes in list(panels):
        axes.remove()
    return figure
