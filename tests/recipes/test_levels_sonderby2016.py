"""Both recipes of hierarchies from their command lines."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes import harness
from recipes import hierarchical_vae_sonderby2016
from recipes import ladder_vae_sonderby2016

FIGURES = {
    "level_maps.png",
    "loss_curves_train.png",
    "reconstructions.png",
    "resampled_levels.png",
    "samples.png",
    "units_over_epochs.png",
}


def run(recipe, folder, *flags):
    recipe.main(
        [
            *("--smoke", "--seed", "3"),
            *("--out", str(folder / "run")),
            *("--saved-models", str(folder / "saved_models")),
            *flags,
        ]
    )
    return json.loads((folder / "run" / "metrics.json").read_text())["numbers"]


def check(numbers, folder):
    names = {f"{kind}_{n}" for kind in ("kl", "active_units") for n in (1, 2)}
    assert names <= set(numbers)
    assert numbers["active_units"] == sum(
        numbers[f"active_units_{n}"] for n in (1, 2)
    )
    history = (folder / "run" / "train" / "history.csv").read_text()
    assert "active_units_2" in history.splitlines()[0]
    figures = {path.name for path in (folder / "run/figures").glob("*.png")}
    assert FIGURES <= figures


def test_ladder_with_fine_tuning(tmp_path):
    numbers = run(
        ladder_vae_sonderby2016,
        tmp_path,
        # There are 360.
        *("--num-test", "1000", "--nll-samples", "2"),
        *("--inference", "separate"),
        *("--fine-tune-epochs", "1", "--fine-tune-samples", "2"),
    )
    check(numbers, tmp_path)
    assert numbers["num_test"] == 360
    # An importance-weighted bound of two samples, about that of one or less.
    assert numbers["test_nll"] < numbers["test_neg_elbo"] + 1.0
    assert np.isfinite(numbers["test_nll_before"])
    assert numbers["test_nll_before"] != numbers["test_nll"]
    tuned = keras.saving.load_model(tmp_path / "run/fine_tune/best.keras")
    assert (tuned.num_samples, tuned.num_importance_samples) == (2, 10)
    assert tuned.inference_networks is not None
    (export,) = tmp_path.glob("saved_models/*/1")
    served = tf.saved_model.load(export)
    samples = served.signatures["sample"](
        num=tf.constant(2), seed=tf.constant([1, 2])
    )["samples"]
    assert samples.shape == (2, 8, 8, 1)


def test_training_has_no_small_last_batch(tmp_path, monkeypatch):
    """Its statistics would be the last that batch normalisation sees."""
    sizes = []

    def train_on(self, model, data, **kwargs):
        batches = data.train(0).take(2 * data.steps_per_epoch)
        sizes.extend(len(x) for x in batches)
        raise ValueError("seen enough")

    monkeypatch.setattr(harness.Run, "fit", train_on)
    with pytest.raises(SystemExit):
        run(ladder_vae_sonderby2016, tmp_path)
    assert set(sizes) == {50}


@pytest.mark.parametrize("variant", ["plain", "batch_norm", "warm_up"])
def test_variants_of_the_chain(variant, tmp_path):
    numbers = run(hierarchical_vae_sonderby2016, tmp_path, "--variant", variant)
    check(numbers, tmp_path)
    model = keras.saving.load_model(tmp_path / "run/train/best.keras")
    assert model.batch_norm == (variant != "plain")
    assert callable(model.beta) == (variant == "warm_up")
    assert np.isfinite(numbers["test_nll"])
