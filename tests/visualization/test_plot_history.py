"""A panel for each term."""

import types

import pytest

from keras_vae.visualization import plot_history

HISTORY = {
    "loss": [3.0, 2.0, 1.0],
    "kl_loss": [0.1, 0.2, 0.3],
    "val_loss": [3.5, 2.5, 1.5],
    "val_only": [1.0],
}


def test_training_and_validation_share_a_panel():
    figure = plot_history(types.SimpleNamespace(history=HISTORY))
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert list(panels) == ["loss", "kl_loss", "only"]
    training, validation = panels["loss"].lines
    assert list(training.get_ydata()) == HISTORY["loss"]
    assert list(training.get_xdata()) == [1, 2, 3]
    assert list(validation.get_ydata()) == HISTORY["val_loss"]
    assert validation.get_label() == "validation"
    assert len(panels["kl_loss"].lines) == 1


@pytest.mark.parametrize("epochs", [1, 2, 3, 30])
def test_epochs_are_whole(epochs):
    (axes,) = plot_history({"loss": [1.0] * epochs}).axes
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


@pytest.mark.parametrize("value", [55.45, -2.0])
def test_rounding_is_not_drawn(value):
    history = {"kl": [value, value], "val_kl": [value * (1.0 + 1e-6), value]}
    (axes,) = plot_history(history).axes
    low, high = axes.get_ylim()
    assert low < value < high
    assert high - low > 0.1 * abs(value)


@pytest.mark.parametrize("value", [0.0, float("inf"), float("nan")])
def test_any_number_is_drawn(value):
    (axes,) = plot_history({"loss": [value, value]}).axes
    assert len(axes.lines[0].get_ydata()) == 2


def test_no_empty_panels():
    assert len(plot_history({str(i): [1.0] for i in range(7)}).axes) == 7


def test_an_empty_history():
    with pytest.raises(ValueError, match="at least one epoch"):
        plot_history({})
