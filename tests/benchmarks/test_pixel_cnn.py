"""The baseline of the priors is what it says: a causal network that learns."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import pixel_cnn


def test_causal_for_every_position():
    """A code changes the logits of later positions, none before."""
    # The first kernel reaches 3 columns, to the end of the row above.
    height, width, num_embeddings = 5, 4, 3
    model = pixel_cnn.build((height, width), num_embeddings, filters=8)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    codes = rng.integers(num_embeddings, size=(1, height, width))
    positions = height * width
    changed = np.repeat(codes, positions, axis=0)
    for i in range(positions):
        changed[i].flat[i] = (changed[i].flat[i] + 1) % num_embeddings
    logits = np.asarray(model(np.concatenate([codes, changed])))
    logits = logits.reshape(positions + 1, positions, num_embeddings)
    difference = np.abs(logits[1:] - logits[0]).max(-1)
    for i in range(positions):
        np.testing.assert_array_equal(difference[i, : i + 1], 0)
    # The next position sees it; at the end of a row, the first below.
    assert all(difference[i, i + 1] > 0 for i in range(positions - 1))


def test_keras_io_network():
    """Every kernel of the example, K = 128 codes on 7x7."""
    model = pixel_cnn.build((7, 7), 128)
    kernels = [tuple(w.shape) for w in model.weights if "kernel" in w.path]
    block = [(1, 1, 128, 128), (3, 3, 128, 64), (1, 1, 64, 128)]
    last = [(1, 1, 128, 128)] * 2
    assert kernels == [(7, 7, 128, 128), *block, *block, *last, last[0]]
    assert model.output_shape == (None, 7, 7, 128)


def test_it_learns_a_rule(tmp_path, capsys):
    """Each row repeats its first code: 1/4 log 3 nats a code on average."""
    rng = np.random.default_rng(0)
    codes = np.repeat(rng.integers(3, size=(1200, 4, 1)), 4, axis=2)
    np.savez(tmp_path / "codes.npz", x_train=codes[:1000], x_test=codes[1000:])
    rows = pixel_cnn.main(
        pixel_cnn.Config(
            codes=str(tmp_path / "codes.npz"),
            epochs=4,
            filters=16,
            batch_size=20,
            learning_rate=1e-2,
            out=str(tmp_path / "result.json"),
        )
    )
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    seconds = [row["seconds"] for row in rows]
    assert sorted(seconds) == seconds and seconds[-1] > 0
    best = np.log(3) / 4
    assert rows[-1]["test nats/code"] == pytest.approx(best, rel=0.15)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["num_embeddings"] == 3
    assert result["table"] == rows
    assert "test nats/code" in capsys.readouterr().out


def test_command_line_and_time_limit(tmp_path):
    codes = np.random.default_rng(0).integers(4, size=(60, 3, 3))
    np.savez(tmp_path / "codes.npz", x_train=codes, x_test=codes[:10])
    out = tmp_path / "result.json"
    command = [sys.executable, "-m", "benchmarks.pixel_cnn"]
    command += [tmp_path / "codes.npz", "--seconds", "0", "--filters", "4"]
    command += ["--batch-size", "20", "--num-embeddings", "5", "--out", out]
    printed = subprocess.run(
        command,
        cwd=pathlib.Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (row,) = json.loads(out.read_text())["table"]
    assert np.isfinite(row["train nats/code"])
    # One step of noise: as good as uniform over the five codes.
    assert row["test nats/code"] == pytest.approx(np.log(5), rel=0.2)
    assert "epoch 1" in printed
