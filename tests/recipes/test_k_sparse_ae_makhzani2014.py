"""The recipe from its command line."""

import json

import keras
import numpy as np
import pytest

from recipes import k_sparse_ae_makhzani2014

FIGURES = {
    "filters.png",
    *(
        f"{name}_k{k}.png"
        for name in ("filters", "loss_curves", "reconstructions")
        for k in (4, 2)
    ),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("k_sparse_ae_makhzani2014")
    k_sparse_ae_makhzani2014.main(
        [
            *("--smoke", "--out", str(folder / "run")),
            *("--saved-models", str(folder / "saved_models")),
        ]
    )
    return folder / "run"


def test_smoke_leaves_everything(run):
    assert {path.name for path in run.glob("figures/*.png")} == FIGURES
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["epochs"] == {"k4": 2, "k2": 2}
    assert set(metrics["numbers"]) == {
        "pixels_error",
        *(
            f"k{k}_{name}"
            for name in ("alpha", "dead_units", "error", "squared_error")
            for k in (4, 2)
        ),
    }
    for k in (4, 2):
        assert metrics["numbers"][f"k{k}_alpha"] in (1, 2)
    folder = run.parent / "saved_models" / "k_sparse_ae_makhzani2014" / "1"
    assert metrics["exported"] == str(folder)


def test_the_file_of_a_stage_has_its_k(run, digits):
    for k in (4, 2):
        model = keras.saving.load_model(run / f"k{k}" / "best.keras")
        counts = np.count_nonzero(model.encode(digits[:20]), axis=1)
        assert np.all(counts == k)
        # Kernel, code bias and output bias: tied.
        assert len(model.trainable_variables) == 3


def test_one_k_of_many(run, tmp_path):
    """With the weights that it has in the run of all."""
    k_sparse_ae_makhzani2014.main(
        [
            *("--smoke", "--k", "2", "--alphas", "2"),
            *("--out", str(tmp_path / "run")),
            *("--saved-models", str(tmp_path / "saved_models")),
        ]
    )
    one, two = (
        keras.saving.load_model(path / "k2" / "best.keras")
        for path in (run, tmp_path / "run")
    )
    assert not (tmp_path / "run" / "k4").exists()
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_k_is_at_its_value_from_the_middle_on():
    config = k_sparse_ae_makhzani2014.Config(
        **k_sparse_ae_makhzani2014.PRESETS["mnist"]
    )

    class Data:
        steps_per_epoch = 391

    schedule = k_sparse_ae_makhzani2014.schedule(config, Data, 25)
    half = config.epochs * 391 // 2
    values = [float(schedule(step)) for step in (0, half // 2, half, 2 * half)]
    assert values == pytest.approx([100, 62.5, 25, 25])


@pytest.mark.parametrize("name", ["k", "alphas"])
def test_nothing_to_choose_from(name, tmp_path):
    config = k_sparse_ae_makhzani2014.Config(
        **{name: ()}, out=str(tmp_path / "run")
    )
    with pytest.raises(ValueError, match=f"`{name}` must be at least one"):
        k_sparse_ae_makhzani2014.train(config)
    assert not (tmp_path / "run").exists()
