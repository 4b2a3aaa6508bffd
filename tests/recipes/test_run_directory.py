"""One process, one run, nothing overwritten."""

import errno
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from recipes.run_directory import RunDirectory
from recipes.run_directory import next_free
from tests.recipes import processes
from tests.recipes import runs

HOLD = """
import sys
from recipes.run_directory import RunDirectory
with RunDirectory(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
CONFIG = {"epochs": 3, "out": None, "resume": False, "units": (2, 3)}


def claim(path, recipe="one", resume=False, **changes):
    with RunDirectory(path) as directory:
        directory.claim(recipe, {**CONFIG, **changes}, resume)


def test_a_new_run_is_described(tmp_path):
    claim(tmp_path / "a" / "b")
    text = (tmp_path / "a" / "b" / "config.json").read_text()
    expected = {**CONFIG, "units": [2, 3]}
    assert json.loads(text) == {"recipe": "one", "config": expected}


def test_a_folder_with_anything_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(ValueError, match="not empty.*Received: out="):
        claim(tmp_path)
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["mine.txt"]


def test_a_run_is_never_overwritten(tmp_path):
    claim(tmp_path)
    with pytest.raises(ValueError, match="--resume"):
        claim(tmp_path, units=(4,))
    claim(tmp_path, resume=True)


def test_a_folder_that_was_only_locked_is_empty(tmp_path):
    with RunDirectory(tmp_path):
        pass
    claim(tmp_path)


def test_what_a_kill_left_half_written_is_removed(tmp_path):
    (tmp_path / "backup").mkdir()
    for name in (".draft-12-config.json", "backup/.draft-12-epoch-1.npz"):
        (tmp_path / name).write_text("half")
    with pytest.raises(ValueError, match="not empty"):
        claim(tmp_path)
    (tmp_path / "backup").rmdir()
    (tmp_path / ".draft-13-config.json").write_text("half")
    claim(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {".lock", "config.json"}


def test_resume_needs_a_run(tmp_path):
    with pytest.raises(ValueError, match="no run to resume"):
        claim(tmp_path, resume=True)


def test_resume_refuses_another_recipe(tmp_path):
    claim(tmp_path, recipe="one")
    with pytest.raises(ValueError, match="recipe 'one', not to 'two'"):
        claim(tmp_path, recipe="two", resume=True)


def test_resume_names_the_settings_that_differ(tmp_path):
    claim(tmp_path)
    with pytest.raises(ValueError) as error:
        claim(tmp_path, resume=True, units=(2, 4), epochs=9, extra=1)
    message = str(error.value)
    assert "units was [2, 3], is [2, 4]" in message
    assert "extra was None, is 1" in message
    assert "epochs" not in message


def test_resume_takes_more_epochs(tmp_path):
    claim(tmp_path)
    claim(tmp_path, resume=True, epochs=9)
    text = (tmp_path / "config.json").read_text()
    assert json.loads(text)["config"]["epochs"] == 9


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path):
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match="Another process"):
            claim(tmp_path)
        first.send_signal(signal.SIGKILL)
        first.wait()
        claim(tmp_path)
    finally:
        first.kill()
        first.communicate()


def test_a_path_that_cannot_be_a_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written.*file"):
        claim(tmp_path / "file" / "run")


def test_a_folder_that_cannot_be_locked_is_an_error(tmp_path, monkeypatch):
    locks = []

    def flock(file, _):
        locks.append(file)
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OSError, match="`out`, cannot be locked.*No locks") as e:
        claim(tmp_path)
    assert e.value.filename == str(tmp_path)
    assert locks[0].closed


def test_next_free_counts_on(tmp_path):
    assert [next_free(tmp_path / "r").name for _ in range(2)] == ["1", "2"]
    os.mkdir(tmp_path / "r" / "7")
    (tmp_path / "r" / "notes").write_text("")
    assert next_free(tmp_path / "r") == tmp_path / "r" / "8"


# === Whole runs ===


def start(folder, epochs, resume=False, **kwargs):
    # The rate is constant: it does not depend on the number of epochs.
    argv = [
        *("--smoke", "--deterministic", "--decay", "constant"),
        *("--epochs", str(epochs), "--batch-size", "500"),
        *("--out", str(folder / "run")),
        *("--saved-models", str(folder / "saved_models")),
    ]
    if resume:
        argv.append("--resume")
    log = folder / "log"
    return processes.start("vae_kingma2014", argv, log, **kwargs)


def run(folder, *args, **kwargs):
    processes.finish(start(folder, *args, **kwargs), folder)


def refused(folder, *args, **kwargs):
    """What a run says that ends with status 2."""
    process = start(folder, *args, **kwargs)
    process.join(300)
    assert process.exitcode == 2, processes.said(folder)
    # It follows the display of progress, which ends no line.
    return re.findall("error: .*", (folder / "log").read_text())[-1]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Four epochs."""
    folder = tmp_path_factory.mktemp("straight")
    run(folder, 4)
    return folder / "run"


@pytest.mark.slow
def test_a_full_disk_ends_a_run_and_costs_nothing(straight, tmp_path):
    run(tmp_path, 2)
    path = tmp_path / "run"
    before = {p: p.read_bytes() for p in (path / "backup").iterdir()}
    size = (path / "best.keras").stat().st_size // 2
    line = refused(tmp_path, 4, resume=True, file_size=size)
    assert "could not be written: File too large" in line
    assert str(path / "best.keras") in line
    assert {p: p.read_bytes() for p in (path / "backup").iterdir()} == before
    assert not list(path.rglob(".draft-*"))
    run(tmp_path, 4, resume=True)
    runs.assert_same_run(straight, path)


@pytest.mark.slow
def test_a_damaged_backup_is_told_and_made_good(straight, tmp_path):
    run(tmp_path, 3)
    path = tmp_path / "run"
    newest = path / "backup" / "epoch-00000003.npz"
    newest.write_bytes(newest.read_bytes()[:-100])
    run(tmp_path, 4, resume=True)
    said = (tmp_path / "log").read_text()
    assert f"The backup {newest} is damaged" in said
    runs.assert_same_run(straight, path)


@pytest.mark.slow
def test_two_runs_in_one_folder(straight, tmp_path):
    path = tmp_path / "run"
    first = start(tmp_path, 2000)
    try:
        while not (path / "backup" / "epoch-00000001.npz").exists():
            first.join(0.05)
            assert first.is_alive(), processes.said(tmp_path)
        for resume in (False, True):
            line = refused(tmp_path, 2000, resume=resume)
            assert "Another process is writing this run" in line
            (tmp_path / "log").unlink()
        assert first.is_alive()
    finally:
        first.kill()
        first.join()
    assert first.exitcode == -signal.SIGKILL
    epochs = 1 + len(runs.history(path))
    run(tmp_path, epochs, resume=True)
    rows = runs.history(path)
    assert [int(row["epoch"]) for row in rows] == list(range(epochs))
    before = runs.history(straight)
    assert rows[: len(before)] == before[: len(rows)]
