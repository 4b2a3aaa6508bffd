"""Active units of a hierarchy in training."""

from collections.abc import Mapping
from collections.abc import Sequence

import keras
import numpy as np

from keras_vae.typing import Figure


def plot_units_over_epochs(
    history: keras.callbacks.History | Mapping[str, Sequence[float]],
) -> Figure:
    """Show KL and active units of each level over the epochs.

    Args:
        history: The result of a `fit` with the callback `UnitsPerLevel`, or
            its `history`.

    Returns:
        `matplotlib.figure.Figure` of two panels, a curve for each level.

    Raises:
        ValueError: If the history has no such logs.
    """
    from matplotlib.figure import Figure

    values = getattr(history, "history", history)
    levels = [
        name.removeprefix("unit_kl_")
        for name in values
        if name.startswith("unit_kl_")
    ]
    if not levels:
        raise ValueError(
            "`history` must be of a fit with the callback `UnitsPerLevel`. "
            f"Received: history with {sorted(values)}"
        )
    figure = Figure((10.0, 4.0), layout="constrained")
    panels = zip(
        figure.subplots(1, 2),
        ("unit_kl", "active_units"),
        ("KL of the level, nats", "active units"),
    )
    for axes, name, title in panels:
        for level in levels:
            curve = values[f"{name}_{level}"]
            marker = "o" if len(curve) < 20 else None
            epochs = np.arange(1, len(curve) + 1)
            axes.plot(epochs, curve, label=f"z_{level}", marker=marker, ms=3)
        axes.set(title=title, xlabel="epoch")
        axes.set_ylim(bottom=0.0)
        axes.legend()
    return figure
