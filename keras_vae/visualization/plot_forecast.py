"""Predictions of series, with the range in which they lie."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.typing import Figure


def plot_forecast(
    x: ArrayLike,
    forecasts: Mapping[str, tuple[ArrayLike, ArrayLike]],
    context: int,
    coverage: float = 0.9,
    title: str | None = None,
) -> Figure:
    """Show series, and what was predicted of them at some steps.

    Args:
        x: Array `(num, steps)`, a panel for each series.
        forecasts: dict from labels to pairs (steps, samples): steps an int
            array `(points,)`, samples an array `(num, samples, points)` of
            predictions of x there.
        context: int, how many steps the predictions were given.
        coverage: Probability of the band, in (0, 1).
        title: None, or str above them.

    Returns:
        `matplotlib.figure.Figure`: medians, and bands of quantiles.

    Raises:
        ValueError: If the shapes do not fit each other, or `coverage` is out
            of its range.
    """
    from matplotlib.figure import Figure

    x = np.asarray(x)
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(
            f"`x` must have shape (num, steps). Received: x of shape {x.shape}"
        )
    if not 0.0 < coverage < 1.0:
        raise ValueError(
            f"`coverage` must be in (0, 1). Received: coverage={coverage}"
        )
    figure = Figure((8.0, 1.8 * len(x)), layout="constrained")
    panels = figure.subplots(len(x), sharex=True, squeeze=False)[:, 0]
    for index, (panel, series) in enumerate(zip(panels, x)):
        panel.plot(series, ".", color="0.6", markersize=3, label="x")
        panel.axvline(context - 0.5, color="0.3", linewidth=0.8)
        for color, (label, (steps, samples)) in enumerate(forecasts.items()):
            _draw(panel, steps, samples, index, coverage, label, f"C{color}")
    panels[0].legend(loc="upper left", fontsize="small", ncols=4)
    panels[-1].set_xlabel("step")
    if title:
        figure.suptitle(title)
    return figure


def _draw(
    panel: Any,
    steps: ArrayLike,
    samples: ArrayLike,
    index: int,
    coverage: float,
    label: str,
    color: str,
) -> None:
    steps, samples = np.asarray(steps), np.asarray(samples)
    if samples.ndim != 3 or samples.shape[2:] != steps.shape:
        raise ValueError(
            "`forecasts` must hold samples of shape (num, samples, points) "
            f"at steps of shape (points,). Received: {label!r} with samples "
            f"of shape {samples.shape} at steps of shape {steps.shape}"
        )
    tail = (1.0 - coverage) / 2.0
    low, middle, high = np.quantile(
        samples[index], [tail, 0.5, 1.0 - tail], axis=0
    )
    errors = np.stack([middle - low, high - middle])
    panel.errorbar(
        steps,
        middle,
        errors,
        fmt="o-" if len(steps) > 1 else "o",
        markersize=3,
        linewidth=0.8,
        capsize=2,
        color=color,
        label=label,
    )
