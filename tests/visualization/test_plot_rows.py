"""A labelled row for each version."""

import numpy as np
import pytest

from keras_vae.visualization import plot_rows
from tests.visualization.models import pixels_of

X = np.random.default_rng(0).random((3, 2, 2, 1), "float32")


def test_rows():
    figure = plot_rows({"x": X, "half": X / 2}, "two rows")
    grid = pixels_of(figure)
    assert grid.shape == (5, 8)
    np.testing.assert_allclose(grid[:2, 6:], X[2, :, :, 0])
    np.testing.assert_allclose(grid[3:, 6:], X[2, :, :, 0] / 2)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["x", "half"]
    assert axes.get_title() == "two rows"


@pytest.mark.parametrize("rows", [{}, {"a": X, "b": X[:2]}])
def test_shapes_that_differ(rows):
    with pytest.raises(ValueError, match="images of one shape"):
        plot_rows(rows)


def test_data_that_are_no_images():
    with pytest.raises(ValueError, match="`b` must be images of shape"):
        plot_rows({"a": X, "b": X[..., 0]})
