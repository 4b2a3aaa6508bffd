"""The recipe from its command line."""

import csv
import json

import pytest

from recipes import diffusion_ho2020


def test_smoke(tmp_path):
    diffusion_ho2020.main(
        [
            *("--smoke", "--samples", "4"),
            *("--noise-schedule", "cosine"),
            *("--out", str(tmp_path / "run")),
            *("--saved-models", str(tmp_path / "saved_models")),
        ]
    )
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    numbers = metrics["numbers"]
    total = numbers["rate_bits"] + numbers["distortion_bits"]
    assert numbers["test_bits_per_dim"] == pytest.approx(total)
    speeds = metrics["speeds"]
    seconds = speeds["ancestral_seconds"], speeds["ddim_seconds"]
    assert min(seconds) > 0.0
    assert speeds["ddim_times_as_fast"] == seconds[0] / seconds[1]
    # As much as is left of the data at the last level.
    assert numbers["prior_bits"] < 1e-2
    with open(tmp_path / "run" / "levels.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["t", "bits_per_dim"]
    assert [int(t) for t, _ in rows] == list(range(1, 22))
    assert sum(float(bits) for _, bits in rows) == pytest.approx(total)
    figures = {p.stem for p in (tmp_path / "run" / "figures").glob("*.png")}
    assert figures >= {
        "levels",
        "loss_curves",
        "reconstructions",
        "samples",
        "samples_ddim",
    }
