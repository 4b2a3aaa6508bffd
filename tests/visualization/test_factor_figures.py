"""Maps of units and factors, and curves of rate and distortion."""

import numpy as np
import pytest

from keras_vae.visualization import plot_factor_map
from keras_vae.visualization import plot_rate_distortion
from tests.visualization.models import pixels_of


def test_map():
    values = np.arange(6.0).reshape(3, 2)
    figure = plot_factor_map(values, ["x", "scale"], "nats")
    np.testing.assert_array_equal(pixels_of(figure), values)
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["x", "scale"]
    assert len(axes.get_yticklabels()) == 3
    with pytest.raises(ValueError, match="`values`"):
        plot_factor_map(values, ["x"])


def test_rate_and_distortion():
    figure = plot_rate_distortion(
        {"a": (3.0, 10.0), "b": (1.0, 15.0), "c": (5.0, 9.5)}
    )
    curve, best = figure.axes[0].get_lines()
    np.testing.assert_array_equal(
        curve.get_xydata(), [[1, 15], [3, 10], [5, 9.5]]
    )
    np.testing.assert_array_equal(best.get_xydata(), [[1, 12], [5, 8]])
    with pytest.raises(ValueError, match="`points`"):
        plot_rate_distortion({})
