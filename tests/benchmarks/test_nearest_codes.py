"""The benchmark runs as its users run it, on next to nothing."""

import json
import pathlib
import subprocess
import sys

import pytest

from benchmarks import nearest_codes


def test_smoke(tmp_path):
    out = tmp_path / "result.json"
    command = [sys.executable, "-m", "benchmarks.nearest_codes", "--smoke"]
    # Status 1 says that a limit is missed, which is nothing at this size.
    ended = subprocess.run(
        [*command, "--out", out],
        cwd=pathlib.Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert "MB beyond inputs and outputs" in ended.stdout, ended.stderr
    result = json.loads(out.read_text())
    search, product, matrix = result["table"]
    assert search["contender"] == nearest_codes.SEARCH
    assert search["it / search"] == "1.00"
    # A chunk of scores has 16 MB; all of a part's have 128 MB.
    assert search["peak MB"] < 100 < matrix["peak MB"]
    assert search["peak MB"] < nearest_codes.LIMITS["peak_mb"]
    assert product["peak MB"] < 100
    limits = [goal["at_most"] or goal["at_least"] for goal in result["goals"]]
    assert limits == list(nearest_codes.LIMITS.values())


def test_ratios_are_of_turns():
    turns = [[1.0, 2.0], [3.0, 2.0], [5.0, 8.0]]
    others = [[1.0, 1.0], [1.0, 1.0], [1.0, 2.0]]
    assert nearest_codes.ratio(turns, others) == 3.0
    assert nearest_codes.ratio(turns, others, clock=1) == 2.0
    rows = nearest_codes.table(
        {nearest_codes.SEARCH: others, "other": turns},
        {nearest_codes.SEARCH: 10.4, "other": 20.0},
    )
    assert rows[0]["peak MB"] == 10
    assert rows[1]["seconds"] == "3.00"
    assert rows[1]["it / search"] == "3.00"


def test_contenders_agree():
    config = nearest_codes.Config(
        vectors=64, codes=50, dim=3, chunk_size=16, parts=1
    )
    functions, inputs, codebook = nearest_codes.contenders(config)
    found, minima, expected = (
        functions[name](inputs[name], codebook).numpy() for name in functions
    )
    assert found.tolist() == expected.tolist()
    z = inputs[nearest_codes.PRODUCT].numpy()
    lowest = (z @ codebook.numpy().T).min(1)
    assert minima.reshape(-1) == pytest.approx(lowest, rel=1e-5)
