"""Two processes: one writes, both restore, and the run goes on exactly."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests import loopback

ROOT = pathlib.Path(__file__).parents[2]


def run(folder):
    """What each worker prints: first epoch, losses, weights."""
    program = [sys.executable, "-m", "tests.callbacks.two_workers"]
    workers = [
        subprocess.Popen(
            [*program, str(folder)],
            cwd=ROOT,
            env={**os.environ, **environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for environment in loopback.environments()
    ]
    try:
        outputs = [worker.communicate(timeout=300)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    return [json.loads(output.splitlines()[-1]) for output in outputs]


@pytest.mark.slow
def test_resume(tmp_path):
    straight = run(tmp_path)
    assert straight[0] == straight[1]
    assert straight[0][0] == 0
    # Killed during the second epoch.
    (tmp_path / "backup" / "epoch-00000002.npz").unlink()
    resumed = run(tmp_path)
    assert resumed[0] == resumed[1]
    assert resumed[0][0] == 1
    assert resumed[0][1:] == straight[0][1:]
    rows = (tmp_path / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "0", "1"]
    assert len(list((tmp_path / "images").iterdir())) == 4
