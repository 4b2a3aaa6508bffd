"""One model at a time, measured as all others."""

import json
import math

import pytest

from recipes import harness
from recipes import leaderboard


def run(folder, *flags):
    leaderboard.main(
        [
            *("--smoke", "--out", str(folder / "run")),
            *("--saved-models", str(folder / "saved_models")),
            *flags,
        ]
    )
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert list((folder / "run" / "figures").glob("loss_curves*.png"))
    assert metrics["speeds"]["images_per_second"] > 0
    return metrics["numbers"]


@pytest.mark.parametrize("model", ["vamp_prior", "ladder", "vq_vae"])
def test_binary_pixels(model, tmp_path):
    numbers = run(tmp_path, "--model", model)
    bound = numbers["rate"] + numbers["distortion"]
    # Ten importance samples against one; codes have the bound alone.
    assert 0.0 < numbers["nll"] < bound + 1.0
    assert bound < 2 * 64 * math.log(2.0)
    assert numbers["parameters"] > 0


@pytest.mark.parametrize(
    "model",
    ["iwae", "pixel_snail", pytest.param("diffusion", marks=pytest.mark.slow)],
)
def test_grey_pixels(model, tmp_path):
    numbers = run(tmp_path, "--model", model, "--pixels", "grey")
    # 17 grey levels take at most about as many bits without any model.
    assert 0.0 < numbers["nll_bits"] < 3 * math.log2(17)
    assert "nll" not in numbers
    if model != "pixel_snail":
        assert numbers["rate_bits"] > 0.0


def test_the_same_time_for_all():
    config = leaderboard.Config(model="vae", minutes=2.0)
    paces = leaderboard.EPOCHS_PER_MINUTE["vae"]
    assert leaderboard.passes_of(config, 60_000) == round(2.0 * paces[0])
    assert leaderboard.passes_of(config, 6_000) == round(20.0 * paces[0])
    config = leaderboard.Config(model="pixel_snail", minutes=0.1)
    pace = leaderboard.EPOCHS_PER_MINUTE["pixel_snail"][0]
    assert leaderboard.passes_of(config, 60_000) == pytest.approx(0.1 * pace)
    config = leaderboard.Config(epochs=3)
    assert leaderboard.passes_of(config, 60_000) == 3
    config = leaderboard.Config(model="vq_vae", minutes=40.0)
    pace = leaderboard.EPOCHS_PER_MINUTE["prior"][0]
    found = leaderboard.passes_of(config, 60_000, 0.5, "prior")
    assert found == round(20.0 * pace)


def test_less_than_one_pass():
    data = harness.Data(None, 337, None, None)
    assert leaderboard.shortened(data, 0.5).steps_per_epoch == 170
    assert leaderboard.shortened(data, 0.001).steps_per_epoch == 1


def test_minutes_are_enough(tmp_path):
    flags = {"--minutes": 0.001, "--units": 16, "--latent-dim": 2}
    flags |= {"--nll-samples": 2, "--num-test": 10}
    folders = {"--out": tmp_path / "run", "--saved-models": tmp_path / "saved"}
    pairs = (flags | folders).items()
    leaderboard.main([str(part) for pair in pairs for part in pair])
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["epochs"] == 1
    assert "0.62 passes" in metrics["note"]


def test_bits():
    numbers = {"nll": 64 * math.log(2.0), "active_units": 3}
    assert leaderboard.in_bits(numbers, (8, 8, 1)) == {
        "nll_bits": pytest.approx(1.0),
        "active_units": 3,
    }


def test_zero_is_no_default(tmp_path, capsys):
    for flag in ("--batch-size", "--filters"):
        with pytest.raises(SystemExit):
            run(tmp_path, flag, "0")
        name = flag[2:].replace("-", "_")
        assert f"`{name}` must be at least 1" in capsys.readouterr().err


def test_diffusion_has_no_binary_pixels(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, "--model", "diffusion")
    assert "`pixels` must be grey" in capsys.readouterr().err
