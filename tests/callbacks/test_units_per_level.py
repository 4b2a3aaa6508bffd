"""The callback logs what the metric counts."""

import re

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae import networks
from keras_vae.callbacks import UnitsPerLevel
from keras_vae.metrics import means_by_level
from keras_vae.metrics import units_by_level
from keras_vae.visualization import plot_level_maps
from keras_vae.visualization import plot_resampled_levels
from keras_vae.visualization import plot_units_over_epochs


@pytest.fixture
def model():
    nets = networks.mlp_hierarchy(
        (8, 8, 1), (4, 2), (16, 8), ladder=True, seed=0
    )
    return keras_vae.LadderVAE(*nets, [4, 2], seed=0)


class Known:
    """Two levels, of which the KL and the means are given."""

    def kl_per_unit(self, x, **kwargs):
        return [np.array([0.5, 0.02, 0.001]), np.array([[0.009], [0.011]])]

    def encode_levels(self, x):
        means = np.stack([x, 0 * x, 0.5 * x], axis=1)
        return [means, np.zeros((len(x), 2, 1))]


def test_both_definitions():
    rows = units_by_level(Known(), np.array([-1.0, 1.0, 0.0]), batch_size=2)
    assert [row.level for row in rows] == [1, 2]
    assert [row.units for row in rows] == [3, 2]
    assert [row.active_kl for row in rows] == [2, 1]
    assert [row.active_variance for row in rows] == [2, 0]
    assert [row.kl for row in rows] == pytest.approx([0.521, 0.02])
    first, _ = means_by_level(Known(), np.arange(5.0), batch_size=2)
    np.testing.assert_array_equal(first[:, 2], 0.5 * np.arange(5.0))


def test_kl_of_levels_is_that_of_the_bound(model, binary_digits):
    x = binary_digits[:300]
    model.build((None, 8, 8, 1))
    rows = units_by_level(model, x, num_samples=3)
    levels = model.elbo_levels(x, num_samples=3)
    for row in rows:
        expected = levels[f"kl_loss_{row.level}"].mean()
        assert row.kl == pytest.approx(expected, rel=1e-4)


def test_logs_of_every_epoch(model, binary_digits):
    x = binary_digits[:100]
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(
        x, epochs=3, verbose=0, callbacks=[UnitsPerLevel(x, every=3)]
    ).history
    assert len(history["active_units_2"]) == 3
    # Counted after the first epoch and the third.
    assert history["unit_kl_1"][0] == history["unit_kl_1"][1]
    assert history["unit_kl_1"][2] != history["unit_kl_1"][1]
    last = units_by_level(model, x)
    for row in last:
        assert history[f"unit_kl_{row.level}"][-1] == pytest.approx(row.kl)
        assert history[f"active_units_{row.level}"][-1] == row.active_kl
    figure = plot_units_over_epochs(history)
    kl, units = figure.axes
    np.testing.assert_array_equal(kl.lines[1].get_ydata(), history["unit_kl_2"])
    np.testing.assert_array_equal(
        units.lines[0].get_ydata(), history["active_units_1"]
    )


def test_state_of_the_last_count(binary_digits):
    counting = UnitsPerLevel(binary_digits[:10], every=5)
    counting.set_state({"counts": {"active_units_1": 3}})
    logs = {}
    counting.on_epoch_end(0, logs)
    assert logs == counting.get_state()["counts"] == {"active_units_1": 3}


def test_maps_of_levels(model, digits):
    figure = plot_level_maps(model, digits[:50], np.arange(50) % 10)
    assert [axes.get_title() for axes in figure.axes] == ["z_1", "z_2"]
    first, second = figure.axes[1].get_xlabel(), figure.axes[1].get_ylabel()
    assert re.fullmatch(r"first component \(\d+% of the variance\)", first)
    assert re.fullmatch(r"second component \(\d+% of the variance\)", second)
    points = figure.axes[1].collections[0].get_offsets()
    spread = np.asarray(model.encode_levels(digits[:50])[1]).var(axis=0).sum()
    # Two components of two dimensions keep the variance.
    assert points.var(axis=0).sum() == pytest.approx(spread, rel=1e-3)
    with pytest.raises(ValueError, match="one for each example"):
        plot_level_maps(model, digits[:50], np.arange(49))


def test_rows_of_resampled_levels(model, digits):
    model.build((None, 8, 8, 1))
    figure = plot_resampled_levels(model, digits[0], num=4)
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.texts]
    assert labels == ["z_1", "z_1 .. z_2"]


def test_a_history_without_levels():
    with pytest.raises(ValueError, match="UnitsPerLevel.*Received: history"):
        plot_units_over_epochs({"loss": [1.0]})
    with pytest.raises(ValueError, match="Received: every=0"):
        UnitsPerLevel(np.zeros((1, 2)), every=0)
