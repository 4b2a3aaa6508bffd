"""The flag --strategy, in processes of their own."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from tests.recipes import runs

ROOT = pathlib.Path(__file__).parents[2]


def start(folder, *flags, **environment):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "recipes.iwae_burda2016", "--smoke"),
            *("--out", str(folder / "run")),
            *("--saved-models", str(folder / "saved_models"), *flags),
        ],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def free_addresses(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return [f"127.0.0.1:{port}" for port in ports]


@pytest.mark.slow
def test_mirrored_with_loss_scaling_and_averaged_weights(tmp_path):
    process = start(
        tmp_path,
        *("--strategy", "mirrored", "--precision", "mixed_float16"),
        *("--weight-average", "0.9"),
    )
    process.communicate()
    assert process.returncode == 0
    assert len(runs.history(tmp_path / "run")) == 2
    assert (tmp_path / "run" / "metrics.json").is_file()


@pytest.mark.slow
def test_of_two_workers_one_writes_and_both_resume(tmp_path):
    flags = ("--strategy", "multiworker")
    for more in ((), ("--resume", "--epochs", "3")):
        cluster = {"worker": free_addresses(2)}
        workers = [
            start(
                tmp_path,
                *flags,
                *more,
                TF_CONFIG=json.dumps(
                    {
                        "cluster": cluster,
                        "task": {"type": "worker", "index": index},
                    }
                ),
            )
            for index in range(2)
        ]
        said = [worker.communicate(timeout=300)[0] for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0]
        assert "SavedModel" in said[0]
        assert said[1] == ""
    assert [r["epoch"] for r in runs.history(tmp_path / "run")] == list("012")
    assert len(list((tmp_path / "saved_models").glob("*/[0-9]*"))) == 2
