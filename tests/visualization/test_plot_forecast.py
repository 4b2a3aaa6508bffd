"""Series with bands of their predictions."""

import numpy as np
import pytest

from keras_vae.visualization import plot_forecast

X = np.zeros((2, 10))
SAMPLES = (
    np.linspace(0.0, 1.0, 101)[None, :, None] + np.arange(2)[:, None, None]
)


def test_bands_are_quantiles():
    figure = plot_forecast(
        X, {"jump": (np.array([7]), SAMPLES)}, context=5, coverage=0.8
    )
    assert len(figure.axes) == 2
    for index, panel in enumerate(figure.axes):
        line, (low_cap, high_cap), (bars,) = panel.containers[0]
        assert line.get_xydata().tolist() == [[7.0, index + 0.5]]
        (bar,) = bars.get_segments()
        np.testing.assert_allclose(bar[:, 1], [index + 0.1, index + 0.9])
    assert figure.axes[0].get_legend() is not None


@pytest.mark.parametrize(
    ("argument", "kwargs"),
    [
        ("x", {"x": X[0]}),
        ("coverage", {"coverage": 1.0}),
        ("forecasts", {"forecasts": {"a": (np.array([7, 8]), SAMPLES)}}),
    ],
)
def test_bad_arguments(argument, kwargs):
    arguments = {
        "x": X,
        "forecasts": {"a": (np.array([7]), SAMPLES)},
        "context": 5,
    }
    with pytest.raises(ValueError, match=f"`{argument}`"):
        plot_forecast(**{**arguments, **kwargs})
