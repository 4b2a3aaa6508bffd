"""The recipe from its command line."""

import json
import math

import pytest

from recipes import pixel_snail_chen2018


def test_smoke(tmp_path):
    pixel_snail_chen2018.main(
        [
            *("--smoke", "--samples", "4"),
            *("--out", str(tmp_path / "run")),
            *("--saved-models", str(tmp_path / "saved_models")),
        ]
    )
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    numbers = metrics["numbers"]
    nats = numbers["test_bits_per_dim"] * 64 * math.log(2)
    assert nats == pytest.approx(numbers["test_nats"])
    # Better than 17 equally probable levels, after one epoch.
    assert numbers["test_bits_per_dim"] < math.log2(17)
    assert (tmp_path / "run" / "figures" / "samples.png").exists()
