"""The table has each epoch once and never half a row."""

import csv
import os

import pytest

from keras_vae.callbacks import ExactBackup
from keras_vae.callbacks import HistoryCSV
from tests.callbacks.models import tiny_vae


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_the_history_of_keras(digits, tmp_path):
    path = tmp_path / "new" / "history.csv"
    history = tiny_vae().fit(
        digits[:64],
        epochs=3,
        validation_data=(digits[64:96], None),
        validation_freq=2,
        verbose=0,
        callbacks=[HistoryCSV(path)],
    )
    rows = read(path)
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    for name, values in history.history.items():
        column = [float(row[name]) for row in rows if row[name]]
        # Exactly: the digits that are written are enough.
        assert column == values
    assert [bool(row["val_loss"]) for row in rows] == [False, True, False]
    assert os.listdir(path.parent) == ["history.csv"]


def test_a_resumed_run_has_no_row_twice(digits, tmp_path):
    path = tmp_path / "history.csv"
    for epochs in (2, 3):
        table = HistoryCSV(path)
        backup = ExactBackup(tmp_path / "backup", [table])
        model = tiny_vae()
        tiny = {"verbose": 0, "callbacks": [table, backup], "epochs": epochs}
        model.fit(digits[:32], initial_epoch=backup.restore(model), **tiny)
    assert [row["epoch"] for row in read(path)] == ["0", "1", "2"]


def test_a_failure_leaves_the_former_table(digits, tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    path.write_text("former\n")

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        tiny_vae().fit(digits[:32], verbose=0, callbacks=[HistoryCSV(path)])
    assert path.read_text() == "former\n"
    assert os.listdir(tmp_path) == ["history.csv"]
