"""Images of the user's own: what does not fit is said before training."""

import importlib

import numpy as np
import pytest

from recipes import data


@pytest.fixture
def faces(tmp_path):
    """Colour images of 12x10 without labels."""
    x = np.random.default_rng(0).integers(0, 256, (30, 12, 10, 3), "uint8")
    np.savez(tmp_path / "faces.npz", x_train=x[:20], x_test=x[20:])
    return tmp_path


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("k_sparse_ae_makhzani2014", "`data` must have labels"),
        ("dae_vincent2010", "`data` must have labels"),
        ("vq_vae2_razavi2019", "halve the sides of the images"),
    ],
)
def test_nothing_is_trained(recipe, message, faces, capsys):
    module = importlib.import_module(f"recipes.{recipe}")
    flags = ["--smoke", "--data", "faces", "--data-dir", str(faces)]
    folders = [f"--{name}={faces / name}" for name in ("out", "saved-models")]
    with pytest.raises(SystemExit):
        module.main([*flags, *folders])
    assert message in capsys.readouterr().err
    assert [path.name for path in faces.iterdir()] == ["faces.npz"]


@pytest.mark.parametrize(
    "recipe", ["pixel_snail_chen2018", "diffusion_ho2020", "leaderboard"]
)
def test_grey_levels_are_those_of_the_files(recipe):
    config = importlib.import_module(f"recipes.{recipe}").Config
    assert data.grey_levels(config()) == 17
    assert data.grey_levels(config(data="faces")) == 256
    assert data.grey_levels(config(data="faces", num_levels=16)) == 16
