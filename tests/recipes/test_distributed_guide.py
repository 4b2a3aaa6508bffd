"""The commands of docs/guides/distributed.md, as written."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests import loopback
from tests.recipes import runs

# The `python` of the commands is the one that runs the tests.
PATH = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
ROOT = pathlib.Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/distributed.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def block(part):
    (found,) = [text for text in BLOCKS if part in text]
    return found


def start(folder, command, **environment):
    """A block of the guide, in seconds instead of minutes."""
    command = re.sub(
        r"(-m recipes\.\w+)",
        rf"\1 --smoke --saved-models {folder}/saved_models",
        command,
    )
    command = command.replace("runs/", f"{folder}/runs/")
    return subprocess.Popen(
        ["bash", "-c", f"set -e\n{command}"],
        cwd=ROOT,
        # Sandboxes may name a proxy; this traffic stays on loopback.
        env=os.environ
        | {"PATH": PATH, "no_proxy": "127.0.0.1,localhost", "grpc_proxy": ""}
        | environment,
    )


def test_kubernetes_gives_each_pod_its_task():
    command = block("JOB_COMPLETION_INDEX") + 'echo "$TF_CONFIG"'
    said = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | {"PATH": PATH, "JOB_COMPLETION_INDEX": "2"},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    config = json.loads(said)
    assert config["task"] == {"type": "worker", "index": 2}
    assert len(config["cluster"]["worker"]) == 4
    assert config["cluster"]["worker"][3] == "training-3.training:12345"


def test_slurm_gives_each_task_its_place(tmp_path):
    """With stand-ins for what only a cluster has."""
    for name, lines in {
        "srun": ['exec "$@"'],
        "scontrol": ["echo node7", "echo node9"],
        "python": ['echo "$TF_CONFIG"', 'echo "$@"'],
    }.items():
        path = tmp_path / name
        path.write_text("\n".join(["#!/bin/bash", *lines, ""]))
        path.chmod(0o755)
    said = subprocess.run(
        ["bash", "-c", block("#SBATCH")],
        cwd=tmp_path,
        env=os.environ
        | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_PROCID": "1"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout.splitlines()
    assert json.loads(said[0]) == {
        "cluster": {"worker": ["node7:12345", "node9:12345"]},
        "task": {"type": "worker", "index": 1},
    }
    assert said[1].endswith("--strategy multiworker")


@pytest.mark.slow
def test_one_device_and_mirrored(tmp_path):
    process = start(tmp_path, block("--strategy mirrored"))
    assert process.wait(timeout=600) == 0
    for name in ("one", "many"):
        assert len(runs.history(tmp_path / "runs" / name)) == 2


@pytest.mark.slow
def test_two_workers_then_the_line_that_resumes(tmp_path):
    configs = [
        re.search("TF_CONFIG='(.*)'", block(f'"index": {index}'))[1]
        for index in range(2)
    ]
    again = block("out=runs/workers").replace("\\\n", "--epochs 3 \\\n")
    for first in (True, False):
        addresses = loopback.free_addresses(2)
        workers = []
        for index, config in enumerate(configs):
            config = json.loads(config)
            assert config["cluster"]["worker"] == [
                "127.0.0.1:12345",
                "127.0.0.1:12346",
            ]
            config["cluster"]["worker"] = addresses
            command = again
            if first:
                # All but the ports, which another process may have.
                command = block(f'"index": {index}').split("\n", 1)[1]
            workers.append(
                start(tmp_path, command, TF_CONFIG=json.dumps(config))
            )
        try:
            codes = [worker.wait(timeout=600) for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
        assert codes == [0, 0]
    rows = runs.history(tmp_path / "runs" / "workers")
    assert [row["epoch"] for row in rows] == list("012")
