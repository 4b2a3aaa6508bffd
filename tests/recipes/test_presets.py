"""Every preset with --smoke: settings and networks, but no training."""

import importlib

import numpy as np
import pytest

from keras_vae import datasets
from recipes import codes
from recipes import harness
from tests.recipes import processes

MODULES = {
    name: importlib.import_module(f"recipes.{name}")
    for name in processes.RECIPES
}
# Where another flag than --preset chooses.
CHOOSERS = {"td_vae_gregor2019": "data"}
CASES = [
    (recipe, preset)
    for recipe, module in MODULES.items()
    for preset in getattr(module, "PRESETS", {})
    if preset != "default"
]


def few_images(name, *_):
    """As `datasets.load_arrays`, of any name."""
    shapes = {"digits": (8, 8, 1), "cifar10": (32, 32, 3)}
    shape = shapes.get(name, (28, 28, 1))
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (60, *shape), "uint8")
    y = np.arange(60) % 10
    return datasets.Arrays(x, y, x[:30], y[:30], x[:30], y[:30])


def no_codes(run, model, arrays, *_):
    splits = (arrays.x_train, arrays.x_validation, arrays.x_test)
    return {
        split: [
            np.zeros((len(x), *shape), "int32") for shape in model.code_shapes()
        ]
        for split, x in zip(("train", "validation", "test"), splits)
    }


@pytest.fixture
def built(monkeypatch, tmp_path):
    """The models that are given to `Run.fit`, which trains none of them."""
    models = {}

    def fit(run, model, data, *_, stage=None, **__):
        # As a worker that is not the chief: all stages, and no report.
        run.chief, run.path = False, tmp_path
        assert model.built
        models[tmp_path / (stage or "") / "best.keras"] = model
        return None if stage is None else model

    monkeypatch.setattr(harness.Run, "fit", fit)
    monkeypatch.setattr(codes, "extract", no_codes)
    monkeypatch.setattr(datasets, "load_arrays", few_images)
    monkeypatch.setattr(
        datasets, "load_dsprites", lambda *_: datasets.sprites(size=16)
    )
    return models


@pytest.mark.parametrize(("recipe", "preset"), CASES)
def test_smoke_of_a_preset(recipe, preset, built, tmp_path, monkeypatch):
    module = MODULES[recipe]
    monkeypatch.setattr(module, "load_best", built.get, raising=False)
    chooser = CHOOSERS.get(recipe, "preset")
    module.main(
        [
            *("--smoke", f"--{chooser}", preset, "--batch-size", "20"),
            *("--out", str(tmp_path / "run")),
            *("--saved-models", str(tmp_path / "saved_models")),
        ]
    )
    assert built


def test_presets_were_found():
    assert len(CASES) > 20
