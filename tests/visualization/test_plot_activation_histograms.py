"""Counts in common bins."""

import numpy as np
import pytest

from keras_vae.visualization import plot_activation_histograms


def test_counts():
    activations = np.array([[0.0, 0.0, 0.0], [0.1, 0.9, 1.0]])
    axes = plot_activation_histograms(activations, bins=2).axes[0]
    (steps,) = axes.patches
    counts, edges, _ = steps.get_data()
    assert counts.tolist() == [4, 2]
    np.testing.assert_allclose(edges, [0.0, 0.5, 1.0])
    assert axes.get_yscale() == "log"
    assert axes.get_legend() is None


def test_names_share_their_bins():
    figure = plot_activation_histograms(
        {"a": np.zeros(3), "b": np.full((2, 2), 4.0)}, bins=4, title="both"
    )
    (axes,) = figure.axes
    data = [steps.get_data() for steps in axes.patches]
    assert [d.values.tolist() for d in data] == [[3, 0, 0, 0], [0, 0, 0, 4]]
    for d in data:
        np.testing.assert_allclose(d.edges, [0, 1, 2, 3, 4])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["a", "b"]
    assert axes.get_title() == "both"


def test_a_code_that_never_varies_can_be_drawn(tmp_path):
    figure = plot_activation_histograms(np.zeros(5))
    figure.savefig(tmp_path / "zeros.png")


@pytest.mark.parametrize(
    "activations", [{}, np.zeros((0, 3)), {"a": [1.0], "b": [np.nan]}]
)
def test_nothing_to_draw(activations):
    with pytest.raises(ValueError, match="must hold finite numbers"):
        plot_activation_histograms(activations)


def test_bins_must_be_positive():
    with pytest.raises(ValueError, match="Received: bins=0"):
        plot_activation_histograms(np.ones(3), bins=0)
