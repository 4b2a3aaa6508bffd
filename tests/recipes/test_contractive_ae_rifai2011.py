"""The recipe from its command line."""

import json

import keras
import numpy as np
import pytest

from recipes import contractive_ae_rifai2011 as recipe

FIGURES = {
    "activations.png",
    "filters.png",
    "latent_map.png",
    "loss_curves.png",
    "loss_curves_contractive.png",
    "loss_curves_denoising.png",
    "loss_curves_plain.png",
    "reconstructions.png",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("contractive_ae_rifai2011") / "run"
    recipe.main(
        [
            *("--smoke", "--second-order-weight", "0.1", "--out", str(path)),
            *("--saved-models", str(path.parent / "saved_models")),
        ]
    )
    return path


def test_smoke_leaves_everything(run):
    assert {path.name for path in run.iterdir()} == {
        *(".lock", "config.json", "figures", "metrics.json"),
        *recipe.KINDS,
    }
    assert {path.name for path in run.glob("figures/*.png")} == FIGURES
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["paper"] == {}
    assert metrics["epochs"] == {kind: 2 for kind in recipe.KINDS}
    numbers = metrics["numbers"]
    for kind in recipe.KINDS:
        assert numbers[f"{kind}_jacobian_norm"] > 0
        assert 0 <= numbers[f"{kind}_saturation_percent"] <= 100
        # Of 64 pixels in [0, 1], and not of all images together.
        assert 0 < numbers[f"{kind}_squared_error"] < 64
        assert 0 < numbers[f"{kind}_cross_entropy"] < 64
    exported = run.parent / "saved_models" / "contractive_ae_rifai2011" / "1"
    assert metrics["exported"] == str(exported)


def test_the_models_read_back_are_tied(run):
    for kind in recipe.KINDS:
        model = keras.saving.load_model(run / kind / "best.keras")
        assert len(model.trainable_variables) == 3
        tied = model.decoder.layers[0]
        assert tied.tied_to is model.encoder.get_layer("code")


def test_the_models_differ_in_what_they_minimise_only():
    config = recipe.Config(**recipe.SMOKE)

    class Data:
        event_shape = (8, 8, 1)

    models = [recipe.build(config, Data, kind) for kind in recipe.KINDS]
    for model in models:
        model.build((None, 8, 8, 1))
    x = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype("float32")
    numbers = [recipe.measure(model, x) for model in models]
    assert numbers[0] == numbers[1] == numbers[2]
    difference = np.array(models[0](x)) - x
    assert numbers[0]["squared_error"] == pytest.approx(
        np.mean(np.sum(difference**2, axis=(1, 2, 3))), rel=1e-5
    )
    norm = np.mean(models[2].jacobian_norm(x))
    assert numbers[0]["jacobian_norm"] == pytest.approx(norm, rel=1e-5)
