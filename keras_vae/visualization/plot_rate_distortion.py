"""What a code costs, and what is lost with it."""

from collections.abc import Mapping

from keras_vae.typing import Figure


def plot_rate_distortion(
    points: Mapping[str, tuple[float, float]], title: str | None = None
) -> Figure:
    """Show rate against distortion of several models.

    Args:
        points: dict from labels to pairs (rate, distortion), nats: means of
            KL(q(z|x) || p(z)) and of -log p(x|z).
        title: None, or str above them.

    Returns:
        `matplotlib.figure.Figure`: points in the order of their rates, joined
        by a line, and the line on which the bound is that of the best.

    Raises:
        ValueError: If there are no points.

    Reference:
        Alemi et al., 2018, section 3.
    """
    from matplotlib.figure import Figure

    if not points:
        raise ValueError(
            f"`points` must hold at least one. Received: points={points}"
        )
    figure = Figure((5.0, 4.0), layout="constrained")
    axes = figure.subplots()
    ordered = sorted(points.items(), key=lambda item: item[1][0])
    rates = [rate for _, (rate, _) in ordered]
    distortions = [distortion for _, (_, distortion) in ordered]
    axes.plot(rates, distortions, "o-", markersize=4)
    for label, place in ordered:
        axes.annotate(
            label, place, xytext=(4, 4), textcoords="offset points", fontsize=8
        )
    best = min(rate + distortion for rate, distortion in points.values())
    ends = [min(rates), max(rates)]
    axes.plot(ends, [best - rate for rate in ends], ":", color="0.5")
    # Room for the labels, which begin at the points.
    axes.margins(0.15)
    axes.set(xlabel="rate, nats", ylabel="distortion, nats")
    if title:
        axes.set_title(title)
    return figure
