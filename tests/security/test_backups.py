"""Damaged and hostile backups: refused by name, the model unchanged."""

import json

import keras
import numpy as np
import pytest

from keras_vae.callbacks import ExactBackup
from keras_vae.callbacks import HistoryCSV
from keras_vae.callbacks import PosteriorCollapseAlarm
from keras_vae.callbacks.exact_backup import _load
from tests.callbacks.models import tiny_vae
from tests.security.damage import damaged
from tests.security.damage import read_or_refused

NAME = "epoch-00000001.npz"


def callbacks(x, folder):
    return [
        keras.callbacks.EarlyStopping("loss"),
        PosteriorCollapseAlarm(x),
        HistoryCSV(folder / "history.csv"),
    ]


@pytest.fixture(scope="module")
def trained(digits, tmp_path_factory):
    """Bytes of a backup."""
    folder = tmp_path_factory.mktemp("backup")
    x = digits[:32]
    kept = callbacks(x, folder)
    model = tiny_vae()
    model.fit(x, verbose=0, callbacks=[*kept, ExactBackup(folder, kept)])
    return (folder / NAME).read_bytes()


@pytest.fixture
def backup(trained, digits, tmp_path):
    """(folder, rewrite): a copy, and what changes its manifest."""
    path = tmp_path / NAME
    path.write_bytes(trained)

    def rewrite(change):
        with np.load(path) as data:
            manifest, *arrays = [data[f"arr_{i}"] for i in range(len(data))]
        state = json.loads(manifest.tobytes())
        state = change(state) or state
        text = state if isinstance(state, bytes) else json.dumps(state).encode()
        np.savez(path, np.frombuffer(text, "uint8"), *arrays)

    return tmp_path, rewrite


def refused(folder, x):
    model = tiny_vae()
    before = [v.numpy() for v in model.variables]
    restoring = ExactBackup(folder, callbacks(x, folder))
    with (
        pytest.warns(UserWarning, match=NAME),
        pytest.raises(ValueError, match=f"No backup is whole.*{NAME}"),
    ):
        restoring.restore(model)
    for variable, value in zip(model.variables, before):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_a_damaged_backup_is_refused_or_read_right(trained, tmp_path):
    path = tmp_path / NAME
    path.write_bytes(trained)
    expected = _load(path)["variables"]["model"]
    for label, copy in damaged(trained, flips=150):
        path.write_bytes(copy)
        state = read_or_refused(lambda: _load(path), "", label)
        if state is not None:
            for one, other in zip(
                state["variables"]["model"], expected, strict=True
            ):
                np.testing.assert_array_equal(one, other, label)


def set_in(*keys, value):
    def change(state):
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = value

    return change


def drop(key):
    return lambda state: state.pop(key) and None


CHANGES = {
    "no JSON": lambda state: b"\xff{",
    "deep": lambda state: 10**5 * b"[",
    "a list": lambda state: [state],
    "another format": set_in("format", value=2),
    "epoch of text": set_in("epoch", value="1"),
    "epoch before the first": set_in("epoch", value=-1),
    "no epoch": drop("epoch"),
    "no history": drop("history"),
    "no callbacks": drop("callbacks"),
    "no variables": drop("variables"),
    "history of numbers": set_in("history", value=[1]),
    "a row of text": set_in("history", value=[{"epoch": 0, "logs": "x"}]),
    "fewer callbacks": set_in("callbacks", value=[]),
    "names of numbers": set_in("descriptions", value=3),
    "variables of numbers": set_in("variables", "model", value=[1, 2]),
    "fewer variables": set_in("variables", "model", value=[]),
    "array that is not there": set_in(
        *("variables", "model", 0, "__array__"), value=10**6
    ),
    "another type": set_in("variables", "model", 0, "dtype", value="int8"),
    "no type": set_in("variables", "model", 0, "dtype", value="os.system"),
    "objects": set_in("variables", "model", 0, "dtype", value="resource"),
    "a huge shape": set_in("variables", "model", 1, "shape", value=[10**12]),
    "another shape": set_in("variables", "model", 1, "shape", value=[-1, 8]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_hostile_manifest(backup, digits, change):
    folder, rewrite = backup
    rewrite(CHANGES[change])
    refused(folder, digits[:32])


def test_a_backup_made_of_other_arrays(digits, tmp_path):
    for arrays in ({}, {"x": np.zeros(3)}, {"arr_1": np.zeros(3)}):
        np.savez(tmp_path / NAME, **arrays)
        refused(tmp_path, digits[:32])


@pytest.mark.parametrize(
    ("index", "state"),
    [
        (0, {"on_epoch_end": "gone"}),
        (0, {"__class__": "gone"}),
        (0, {"model": None}),
        (0, [1]),
        (0, {"wait": "long"}),
        (0, {"best_weights": [["x"]]}),
        (1, {}),
        (1, 7),
        (1, {"wait": "long", "severity": 0}),
        (2, 7),
        (2, [7]),
    ],
)
def test_a_hostile_state_of_a_callback(backup, digits, index, state):
    folder, rewrite = backup
    x = digits[:32]
    rewrite(set_in("callbacks", index, value=state))
    model = tiny_vae()
    kept = callbacks(x, folder)
    restoring = ExactBackup(folder, kept)
    assert restoring.restore(model) == 1
    with pytest.raises(ValueError, match=f"{NAME} cannot be restored"):
        model.fit(
            x,
            verbose=0,
            callbacks=[*kept, restoring],
            initial_epoch=1,
            epochs=2,
        )
    assert [path.name for path in folder.iterdir()] == [NAME]
