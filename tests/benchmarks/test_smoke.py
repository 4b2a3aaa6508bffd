"""The benchmarks run as their users run them, on next to nothing."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import keras_vae
from benchmarks import cached_sampling
from benchmarks import report
from benchmarks import train_throughput
from benchmarks import turns
from benchmarks import vq_vae_throughput


def test_train_throughput(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train_throughput, "HOPELESS", float("inf"))
    out = tmp_path / "made" / "result.json"
    config = train_throughput.Config(
        **train_throughput.SMOKE, smoke=True, out=str(out)
    )
    train_throughput.main(config)
    result = json.loads(out.read_text())
    rates = result["examples_per_second"]
    assert {"fit", *train_throughput.LOOPS} <= set(rates)
    assert all(len(rate) == 1 and rate[0] > 0 for rate in rates.values())
    assert result["table"][0]["fit / it"] == "1.000"
    slower = min(train_throughput.LOOPS, key=lambda name: rates[name])
    assert result["hand_written_loop"] != slower
    (goal,) = result["goals"]
    assert goal["value"] == rates["fit"][0] / max(
        rates[name][0] for name in train_throughput.LOOPS
    )
    assert {"keras", "keras_vae", "tensorflow"} <= set(result["versions"])
    assert "| fit " in capsys.readouterr().out


def test_a_hopeless_loop_takes_no_turns(tmp_path, monkeypatch):
    monkeypatch.setattr(train_throughput, "HOPELESS", 1.0)
    config = train_throughput.Config(
        **train_throughput.SMOKE, smoke=True, out=str(tmp_path / "result.json")
    )
    train_throughput.main(config)
    result = json.loads((tmp_path / "result.json").read_text())
    loops = set(result["examples_per_second"]) & set(train_throughput.LOOPS)
    assert loops == {result["hand_written_loop"]}


def test_ratios_are_of_pairs():
    rows = turns.table(
        {"fit": [10.0, 20.0, 90.0], "loop": [10.0, 40.0, 60.0]},
        {"fit": 1.0, "loop": 2.0},
    )
    assert rows[1] == {
        "contender": "loop",
        "examples/s": 40,
        "fit / it": "1.000",
        "range": "0.50-1.50",
        "loss": "2",
    }


def test_an_interpreter_without_peers():
    config = train_throughput.Config(
        **train_throughput.SMOKE, pythae_python=sys.executable
    )
    if train_throughput.installed(sys.executable):
        pytest.skip("a peer is installed here")
    with pytest.raises(ValueError, match="Received: pythae_python="):
        train_throughput.measure(config)


# Stands in for the worker, which needs Sonnet.
PEER = """
import json, sys
print(json.dumps({"version of": sys.argv[1:]}), flush=True)
for line in sys.stdin:
    print(json.dumps({"seconds": 0.5, "loss": int(line)}), flush=True)
"""


def test_vq_vae_throughput(tmp_path, monkeypatch):
    out = tmp_path / "result.json"
    worker = tmp_path / "worker.py"
    worker.write_text(PEER)
    workers = dict.fromkeys(vq_vae_throughput.WORKERS, worker)
    monkeypatch.setattr(vq_vae_throughput, "WORKERS", workers)
    config = vq_vae_throughput.Config(
        **vq_vae_throughput.SMOKE,
        smoke=True,
        sonnet_python=sys.executable,
        torch_python=sys.executable,
        out=str(out),
    )
    vq_vae_throughput.main(config)
    result = json.loads(out.read_text())
    rates = result["examples_per_second"]
    # One step of 32 images in half a second.
    assert rates["Sonnet"] == rates["PyTorch"] == [64.0]
    assert rates["fit"][0] > 0
    assert result["versions"]["version of"][1] == "32"
    assert result["table"][2]["loss"] == "1"
    (goal,) = result["goals"]
    assert goal["value"] == rates[vq_vae_throughput.HALF][0] / 64.0
    # A file that is published names no path of this machine.
    assert result["config"]["torch_python"] == "PYTHON"
    assert sys.executable not in out.read_text()


def test_a_peer_that_ends_is_named(tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text("")
    with pytest.raises(RuntimeError, match="worker.py"):
        turns.Peer(sys.executable, worker)


def test_log_likelihood_memory(tmp_path):
    # A process starts with its parent's peak: the test's own is large.
    out = tmp_path / "result.json"
    command = [sys.executable, "-m", "benchmarks.log_likelihood_memory"]
    subprocess.run(
        [*command, "--smoke", "--out", out],
        cwd=pathlib.Path(__file__).parents[2],
        check=True,
    )
    result = json.loads(out.read_text())
    assert [row["samples"] for row in result["table"]] == [2, 20]
    assert all(200 < row["peak MB"] < 2000 for row in result["table"])
    (goal,) = result["goals"]
    assert abs(goal["value"]) < 100


def test_cached_sampling(tmp_path, capsys):
    """The goals decide, and no ratio is of use at this size."""
    out = tmp_path / "result.json"
    config = cached_sampling.Config(
        **cached_sampling.SMOKE, smoke=True, positions=5, out=str(out)
    )
    all_met = cached_sampling.main(config)
    result = json.loads(out.read_text())
    ratio, identical = result["goals"]
    assert all_met is report.is_met(ratio)
    assert identical["value"] == 1.0 and report.is_met(identical)
    naive, *cached = result["seconds"].values()
    assert ratio["value"] == naive / min(cached)
    assert ratio["at_least"] == cached_sampling.MIN_RATIO
    printed = capsys.readouterr().out
    assert "timed on 5 positions" in printed
    assert "draw the codes of the naive one, part: 1" in printed


def test_different_codes_miss_the_goal(tmp_path, monkeypatch):
    found = {"naive": 50.0, "cached": 1.0}, False
    monkeypatch.setattr(cached_sampling, "measure", lambda config: found)
    config = cached_sampling.Config(out=str(tmp_path / "result.json"))
    assert not cached_sampling.main(config)


def test_cached_sampling_tells_codes_apart():
    """Another seed gives the naive sampler other codes."""
    model = keras_vae.PixelSNAIL((3, 3), 64, filters=4, num_blocks=1)
    naive = cached_sampling.NaiveSampler(model, 1)
    assert not np.array_equal(naive(0), naive(1))
    assert np.all(np.asarray(naive(0, 4)).ravel()[4:] == 0)


def test_help_documents_every_flag(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark", "--help"])
    with pytest.raises(SystemExit):
        report.settings(
            train_throughput.Config,
            train_throughput.SMOKE,
            train_throughput.__doc__,
        )
    text = capsys.readouterr().out
    assert "--pythae-python" in text
    assert "Times that each contender runs" in text


def test_markdown_table():
    rows = [{"name": "a", "seconds": 1.5}, {"name": "bcdef", "seconds": 10}]
    assert report.markdown_table(rows).splitlines() == [
        "| name  | seconds |",
        "| ----- | ------: |",
        "| a     |     1.5 |",
        "| bcdef |      10 |",
    ]
