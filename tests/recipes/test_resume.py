"""Killed at a random moment and resumed: bit for bit the same run."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.recipes import runs

ROOT = pathlib.Path(__file__).parents[2]
RECIPE = [sys.executable, "-m", "recipes.vae_kingma2014"]
EPOCHS = 40


def flags(folder, name):
    return [
        *("--smoke", "--deterministic", "--epochs", str(EPOCHS)),
        *("--out", str(folder / name)),
        *("--saved-models", str(folder / "saved_models")),
    ]


def run(folder, name, *more):
    subprocess.run(
        [*RECIPE, *flags(folder, name), *more],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def kill_at_random(folder, name, *more, after):
    """Kills the run at some moment after a number of epochs."""
    process = subprocess.Popen(
        [*RECIPE, *flags(folder, name), *more],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    backup = folder / name / "backup" / f"epoch-{after:08d}.npz"
    try:
        while process.poll() is None and not backup.exists():
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 0.5))
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    run(folder, "undisturbed")
    return folder / "undisturbed"


@pytest.fixture(autouse=True)
def another_moment_each_time():
    random.seed(os.urandom(8))


def assert_same(undisturbed, killed):
    runs.assert_same_run(undisturbed, killed)
    numbers = [
        json.loads((path / "metrics.json").read_text())["numbers"]
        for path in (undisturbed, killed)
    ]
    assert numbers[0] == numbers[1]


@pytest.mark.slow
@pytest.mark.parametrize("repeat", range(3))
def test_a_kill_changes_nothing(undisturbed, tmp_path, repeat):
    kill_at_random(tmp_path, "killed", after=random.randint(1, 25))
    run(tmp_path, "killed", "--resume")
    assert_same(undisturbed, tmp_path / "killed")


@pytest.mark.slow
def test_three_kills_in_one_run_change_nothing(undisturbed, tmp_path):
    kill_at_random(tmp_path, "killed", after=random.randint(1, 8))
    for first in (10, 18):
        epoch = first + random.randint(0, 6)
        kill_at_random(tmp_path, "killed", "--resume", after=epoch)
    run(tmp_path, "killed", "--resume")
    assert_same(undisturbed, tmp_path / "killed")
