"""best.keras holds the best epoch, or the one before, never a half."""

import keras
import numpy as np
import pytest

from recipes.save_best import SaveBest


class Constant(keras.Model):
    """Its weight says which epoch it is."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.value = self.add_weight(shape=(), initializer="zeros")

    def call(self, x):
        return self.value * x


def epochs(callback, model, losses, first=0):
    for epoch, loss in enumerate(losses, first):
        model.value.assign(float(epoch))
        callback.on_epoch_end(epoch, {"val_loss": loss})


def saved(path):
    custom = {"Constant": Constant}
    return float(keras.saving.load_model(path, custom).value)


@pytest.fixture
def model():
    model = Constant()
    model(np.ones((1, 1)))
    return model


def test_keeps_the_smallest(tmp_path, model):
    callback = SaveBest(tmp_path / "best.keras", "val_loss")
    callback.set_model(model)
    epochs(callback, model, [3.0, 1.0, 2.0, 1.0])
    assert saved(tmp_path / "best.keras") == 1.0
    assert (callback.best, callback.best_epoch) == (1.0, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["best.keras"]


def test_without_a_log_keeps_the_last(tmp_path, model):
    callback = SaveBest(tmp_path / "best.keras", None)
    callback.set_model(model)
    epochs(callback, model, [1.0, 3.0, 2.0])
    assert saved(tmp_path / "best.keras") == 2.0
    assert callback.best_epoch == 2


def test_a_failed_write_leaves_the_earlier_file(tmp_path, model, monkeypatch):
    callback = SaveBest(tmp_path / "best.keras", "val_loss")
    callback.set_model(model)
    epochs(callback, model, [3.0])

    def half(path):
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(model, "save", half)
    with pytest.raises(OSError, match="disk full"):
        epochs(callback, model, [1.0], first=1)
    assert saved(tmp_path / "best.keras") == 0.0
