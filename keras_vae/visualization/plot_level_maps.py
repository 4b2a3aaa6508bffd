"""Codes of all levels in the plane."""

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_vae.metrics.units_by_level import means_by_level
from keras_vae.typing import Array
from keras_vae.typing import Figure


def plot_level_maps(
    model: keras.Model,
    x: Array,
    labels: ArrayLike | None = None,
    batch_size: int = 1000,
) -> Figure:
    """Show the posterior means of each level in their principal components.

    Args:
        model: A model with `encode_levels`.
        x: Array of examples.
        labels: None, or one label (number or string) for each example.
        batch_size: Examples at a time. Defaults to 1000.

    Returns:
        `matplotlib.figure.Figure`, one panel for each level, bottom first.

    Raises:
        ValueError: If there is not one label for each example.

    Reference:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, 2016, figure 6.
    """
    from matplotlib.figure import Figure
    from sklearn.decomposition import PCA

    if labels is not None and np.shape(labels) != (len(x),):
        raise ValueError(
            f"`labels` must have shape ({len(x)},), one for each example. "
            f"Received: labels of shape {np.shape(labels)}"
        )
    levels = means_by_level(model, x, batch_size)
    figure = Figure((4.0 * len(levels), 4.0), layout="constrained")
    panels = figure.subplots(1, len(levels), squeeze=False)[0]
    for number, (axes, means) in enumerate(zip(panels, levels), 1):
        means = means.reshape(len(means), -1)
        points = np.zeros((len(means), 2))
        shares = []
        if means.shape[1] > 1:
            pca = PCA(2, random_state=0).fit(means)
            points = pca.transform(means)
            shares = [f"{r:.0%}" for r in pca.explained_variance_ratio_]
        else:
            points[:, 0] = means[:, 0]
        axes.scatter(
            *points.T, c=labels, s=4, cmap="tab10", linewidths=0, alpha=0.7
        )
        axes.set(title=f"z_{number}")
        for which, share in zip("xy", shares):
            order = "first" if which == "x" else "second"
            label = f"{order} component ({share} of the variance)"
            axes.set(**{f"{which}label": label})
        axes.set_aspect("equal", adjustable="datalim")
    return figure
