"""One process, one run, nothing overwritten."""

import json
import os
import signal
import subprocess
import sys

import pytest

from recipes.run_directory import RunDirectory
from recipes.run_directory import next_free

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


def test_next_free_counts_on(tmp_path):
    assert [next_free(tmp_path / "r").name for _ in range(2)] == ["1", "2"]
    os.mkdir(tmp_path / "r" / "7")
    (tmp_path / "r" / "notes").write_text("")
    assert next_free(tmp_path / "r") == tmp_path / "r" / "8"
