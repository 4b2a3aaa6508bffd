"""The recipe from its command line: objectives, a sweep, its table."""

import csv
import json

import keras
import numpy as np
import pytest
from PIL import Image

from keras_vae import datasets
from keras_vae.metrics import disentanglement
from recipes import beta_vae_higgins2017


def run(folder, *flags):
    beta_vae_higgins2017.main(
        [
            *("--smoke", "--out", str(folder / "run")),
            *("--saved-models", str(folder / "saved_models")),
            *flags,
        ]
    )
    return json.loads((folder / "run" / "metrics.json").read_text())["numbers"]


def test_sweep(tmp_path):
    numbers = run(tmp_path, "--sweep", "1", "8")
    with open(tmp_path / "run" / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["beta"]) for row in rows] == [1.0, 8.0]
    best = max(rows, key=lambda row: float(row["mig"]))
    assert numbers["best_beta"] == float(best["beta"])
    assert numbers["mig"] == pytest.approx(float(best["mig"]))
    figures = tmp_path / "run" / "figures"
    assert {path.name for path in figures.glob("*.png")} == {
        "loss_curves_beta_1.png",
        "loss_curves_beta_8.png",
        "rate_distortion.png",
        "reconstructions.png",
        "samples.png",
        "traversals.png",
        "units_and_factors.png",
    }
    with Image.open(figures / "traversals.gif") as animation:
        assert animation.n_frames == 28
    model = keras.saving.load_model(
        tmp_path / f"run/beta_{float(best['beta']):g}/best.keras"
    )
    codes = disentanglement.encode_all(model.encode, datasets.sprites(size=16))
    found = disentanglement.mig(codes, datasets.sprites(size=16), 300)
    assert found == pytest.approx(numbers["mig"], abs=1e-6)


def test_near_weights_have_names_of_their_own():
    betas = (1.0, 4.0, 1.0000001, 1 / 3, 1e-9, 1e20)
    names = [beta_vae_higgins2017.label(beta) for beta in betas]
    assert names[:2] == ["1", "4"]
    assert [float(name) for name in names] == list(betas)


def test_a_weight_is_given_once(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, "--sweep", "1", "4", "1.0")
    assert "`sweep` must have different weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("objective", "term"),
    [
        ("capacity", "capacity_loss"),
        ("weighted", "dimension_kl_loss"),
        ("stratified", "mutual_information_loss"),
        ("discriminator", "discriminator_loss"),
    ],
)
def test_objectives(tmp_path, objective, term):
    numbers = run(tmp_path, "--objective", objective)
    assert np.isfinite(list(numbers.values())).all()
    with open(tmp_path / "run/beta_4/history.csv", newline="") as file:
        assert term in next(csv.reader(file))


def test_a_sweep_needs_a_weight(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, "--objective", "capacity", "--sweep", "1", "2")
    assert "`sweep` needs" in capsys.readouterr().err


def test_dsprites_without_a_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("KERAS_VAE_DATA", raising=False)
    with pytest.raises(SystemExit):
        run(tmp_path, "--preset", "tc")
    assert "`data_dir`" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
