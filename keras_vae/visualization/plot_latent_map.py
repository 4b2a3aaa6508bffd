"""Codes in the plane."""

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.typing import Array
from keras_vae.typing import Figure


def plot_latent_map(
    codes: ArrayLike, labels: ArrayLike | None = None, title: str | None = None
) -> Figure:
    """Show codes as points, coloured by label.

    Codes of two dimensions are shown as they are, those of more by their
    first two principal components.

    Args:
        codes: Array `(num, dimensions)`, such as the result of
            `keras_vae.evaluation.encode_in_batches`.
        labels: None, or one label (number or string) for each code.
        title: None, or str above the map.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If `codes` does not hold two codes of two dimensions, or
            there is not one label for each.
    """
    from matplotlib.figure import Figure

    points = np.asarray(codes)
    if points.ndim != 2 or min(points.shape) < 2:
        raise ValueError(
            "`codes` must have shape (num, dimensions), both at least 2. "
            f"Received: codes of shape {points.shape}"
        )
    if labels is not None and np.shape(labels) != (len(points),):
        raise ValueError(
            f"`labels` must have shape ({len(points)},), one for each code. "
            f"Received: labels of shape {np.shape(labels)}"
        )
    names = ["z[0]", "z[1]"]
    if points.shape[1] > 2:
        from sklearn.decomposition import PCA

        pca = PCA(2, random_state=0).fit(points)
        points = pca.transform(points)
        names = [
            f"principal component {i + 1} ({share:.0%} of the variance)"
            for i, share in enumerate(pca.explained_variance_ratio_)
        ]
    figure = Figure((7.0, 6.0), layout="constrained")
    axes = figure.add_subplot(xlabel=names[0], ylabel=names[1], title=title)
    axes.set_aspect("equal", adjustable="datalim")
    values = [None] if labels is None else np.unique(labels)
    colors = _colors(len(values))
    for value, color in zip(values, colors):
        chosen = (
            points if value is None else points[np.asarray(labels) == value]
        )
        axes.scatter(
            *(chosen[:, 0], chosen[:, 1]),
            s=6,
            color=color,
            label=value,
            linewidths=0,
        )
    if labels is not None:
        figure.legend(
            loc="outside right upper",
            markerscale=3,
            ncols=-(-len(values) // 25),
        )
    return figure


def _colors(num: int) -> Array:
    import matplotlib

    if num <= 10:
        return matplotlib.colormaps["tab10"](np.arange(num))
    return matplotlib.colormaps["turbo"](np.linspace(0.0, 1.0, num))
