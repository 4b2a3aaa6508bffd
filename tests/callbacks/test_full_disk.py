"""A full disk is an error that names the file, and costs no other file."""

import os

import keras
import pytest

from keras_vae.callbacks import ExactBackup
from keras_vae.callbacks import HistoryCSV
from keras_vae.callbacks.writing import atomic_file
from recipes.run_directory import RunDirectory
from recipes.save_best import SaveBest
from tests.callbacks.limits import file_size_limit
from tests.callbacks.models import tiny_vae
from tests.callbacks.test_exact_backup import assert_equal
from tests.callbacks.test_exact_backup import state_of
from tests.callbacks.test_exact_backup import train

COULD_NOT = "this file could not be written: File too large.*"


def resume(x, folder, epochs, *callbacks):
    """As a new process would."""
    keras.utils.set_random_seed(1)
    model = tiny_vae(dropout=0.3)
    backup = ExactBackup(folder / "backup", callbacks)
    epoch = backup.restore(model)
    train(model, x, [*callbacks, backup], epochs, epoch)
    return model


@pytest.mark.parametrize("part", [0.0, 0.999])
def test_a_backup(digits, tmp_path, part):
    x = digits[:64]
    straight = resume(x, tmp_path / "a", 2)
    resume(x, tmp_path / "b", 1)
    folder = tmp_path / "b" / "backup"
    first = folder / "epoch-00000001.npz"
    content = first.read_bytes()
    with (
        file_size_limit(int(part * len(content))),
        pytest.raises(OSError, match=COULD_NOT + "epoch-00000002.npz"),
    ):
        resume(x, tmp_path / "b", 2)
    assert os.listdir(folder) == [first.name]
    assert first.read_bytes() == content
    # Whoever makes room goes on as if nothing had been.
    assert_equal(state_of(resume(x, tmp_path / "b", 2)), state_of(straight))


def test_the_history(digits, tmp_path):
    path = tmp_path / "history.csv"
    resume(digits[:32], tmp_path, 1, HistoryCSV(path))
    content = path.read_bytes()
    with (
        file_size_limit(len(content)),
        pytest.raises(OSError, match=COULD_NOT + "history.csv"),
    ):
        resume(digits[:32], tmp_path, 2, HistoryCSV(path))
    assert path.read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == ["backup", "history.csv"]
    resume(digits[:32], tmp_path, 2, HistoryCSV(path))
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("part", [0.01, 0.999])
def test_the_best_model(digits, tmp_path, part):
    path = tmp_path / "best.keras"
    model = tiny_vae()
    callback = SaveBest(path, "val_loss")
    callback.set_model(model)
    callback.on_epoch_end(0, {"val_loss": 2.0})
    content = path.read_bytes()
    with (
        file_size_limit(int(part * len(content))),
        pytest.raises(OSError, match=COULD_NOT + "best.keras"),
    ):
        callback.on_epoch_end(1, {"val_loss": 1.0})
    assert os.listdir(tmp_path) == ["best.keras"]
    assert path.read_bytes() == content
    restored = keras.saving.load_model(path, compile=False)
    assert_equal(restored.get_weights(), model.get_weights())


def test_the_files_of_a_run(tmp_path):
    config = {"epochs": 3}
    with RunDirectory(tmp_path) as directory:
        with (
            file_size_limit(10),
            pytest.raises(OSError, match=COULD_NOT + "config.json"),
        ):
            directory.claim("one", config, resume=False)
        assert os.listdir(tmp_path) == [".lock"]
        directory.claim("one", config, resume=False)
        directory.write_json("metrics.json", {"loss": 1.0})
        for name in ("config.json", "metrics.json"):
            content = (tmp_path / name).read_bytes()
            with (
                file_size_limit(10),
                pytest.raises(OSError, match=COULD_NOT + name),
            ):
                directory.write_json(name, {"loss": 0.5})
            assert (tmp_path / name).read_bytes() == content
    assert len(os.listdir(tmp_path)) == 3


def test_a_full_file_system(tmp_path):
    """The device /dev/full has no space: another error, the same message."""
    with pytest.raises(OSError, match="No space left.*x.npz") as caught:
        with atomic_file(tmp_path / "x.npz"):
            with open("/dev/full", "wb", buffering=0) as full:
                full.write(b"x")
    assert caught.value.filename == str(tmp_path / "x.npz")
    assert os.listdir(tmp_path) == []
