"""The recipe from its command line."""

import json

import keras
import numpy as np
import pytest

from recipes import vae_kingma2014

FIGURES = {
    "latent_map.png",
    "loss_curves.png",
    "reconstructions.png",
    "samples.png",
    "traversals.png",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae_kingma2014")
    vae_kingma2014.main(
        [
            *("--smoke", "--units", "32", "--seed", "3"),
            *("--out", str(folder / "run")),
            *("--saved-models", str(folder / "saved_models")),
        ]
    )
    return folder / "run"


def again(run, *flags):
    vae_kingma2014.main(
        [
            *("--smoke", "--units", "32", "--seed", "3"),
            *("--out", str(run)),
            *("--saved-models", str(run.parent / "saved_models")),
            *flags,
        ]
    )


def test_smoke_leaves_everything(run):
    files = {path.name for path in run.iterdir()}
    assert files == {
        *(".lock", "backup", "best.keras", "config.json", "figures"),
        *("history.csv", "logs", "metrics.json"),
    }
    assert {path.name for path in run.glob("figures/*.png")} == FIGURES
    config = json.loads((run / "config.json").read_text())
    assert config["recipe"] == "vae_kingma2014"
    assert config["config"]["units"] == [32]
    assert config["config"]["seed"] == 3
    assert config["config"]["epochs"] == 2
    metrics = json.loads((run / "metrics.json").read_text())
    numbers = metrics["numbers"]
    assert numbers["test_nll"] <= numbers["test_neg_elbo"] < 64 * np.log(2)
    assert metrics["paper"] == {}
    exported = run.parent / "saved_models" / "vae_kingma2014" / "1"
    assert metrics["exported"] == str(exported)
    assert (exported / "saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "not empty"),
        (("--resume", "--latent-dim", "3"), "latent_dim was 5, is 3"),
        (("--data", "digitz"), "Received: name='digitz'"),
        (("--data-dir", "/no/such/folder"), "data_dir=/no/such/folder"),
        (("--latent-dim", "0"), "latent_dim=0"),
    ],
)
def test_a_mistake_is_one_line(run, capsys, flags, message):
    with pytest.raises(SystemExit) as stop:
        again(run, *flags)
    assert stop.value.code == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert message in line


def test_the_papers_preset_is_the_papers_network():
    config = vae_kingma2014.Config(**vae_kingma2014.PRESETS["paper"])

    class Data:
        event_shape = (28, 28, 1)
        steps_per_epoch = 1

    model = vae_kingma2014.build(config, Data)
    model.build((None, 28, 28, 1))
    hidden = model.encoder.layers[-1]
    assert (hidden.units, hidden.activation.__name__) == (500, "tanh")
    assert model.latent_dim == 20
    assert np.std(hidden.kernel) == pytest.approx(0.01, rel=0.01)
    optimizer = vae_kingma2014.optimizer(config, Data)
    assert isinstance(optimizer, keras.optimizers.Adagrad)
    assert float(optimizer.learning_rate) == pytest.approx(0.02)


def test_grey_images_have_no_nll(tmp_path):
    again(tmp_path / "run", "--binarize", "none", "--epochs", "1")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert "test_nll" not in metrics["numbers"]
