"""The recipe from its command line: two stages, one SavedModel."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes import vq_vae_oord2017


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vq_vae_oord2017")
    run(folder)
    return folder


def run(folder, *flags):
    vq_vae_oord2017.main(
        [
            *("--smoke", "--num-embeddings", "8", "--seed", "3"),
            *("--out", str(folder / "run")),
            *("--saved-models", str(folder / "saved_models")),
            *flags,
        ]
    )


def test_numbers_are_those_of_the_saved_models(folder, digits):
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    numbers = metrics["numbers"]
    assert set(numbers) == {
        "test_nmse",
        "test_perplexity",
        "unused_codes",
        "uniform_rate_nats",
        "nats_per_code",
        "rate_nats",
        "neg_elbo",
    }
    with np.load(folder / "run" / "codes.npz") as codes:
        assert codes["x_train"].dtype == "int32"
        assert codes["x_test"].max() < 8
        prior = keras.saving.load_model(folder / "run/prior/best.keras")
        nats = -np.mean(prior.log_prob(codes["x_test"]))
    assert numbers["rate_nats"] == pytest.approx(nats, rel=1e-4)
    assert numbers["nats_per_code"] == pytest.approx(nats / 4, rel=1e-4)
    assert numbers["uniform_rate_nats"] == pytest.approx(4 * np.log(8))
    assert {path.name for path in (folder / "run/figures").glob("*.png")} == {
        "loss_curves_prior.png",
        "loss_curves_vq_vae.png",
        "reconstructions.png",
        "samples.png",
    }


def test_prior_and_decoder_are_served_together(folder):
    served = tf.saved_model.load(folder / "saved_models/vq_vae_oord2017/1")
    samples = served.signatures["sample"](
        num=tf.constant(2), seed=tf.constant([1, 2])
    )["samples"]
    assert samples.shape == (2, 8, 8, 1)


def test_a_run_goes_on_at_the_stage_that_is_missing(folder):
    first = folder / "run" / "vq_vae" / "best.keras"
    codes = folder / "run" / "codes.npz"
    before = (first.stat().st_mtime_ns, codes.stat().st_mtime_ns)
    (folder / "run" / "metrics.json").unlink()
    run(folder, "--resume")
    assert (first.stat().st_mtime_ns, codes.stat().st_mtime_ns) == before
    assert (folder / "run" / "metrics.json").exists()


def test_a_prior_of_another_autoencoder_is_refused(folder, capsys):
    codes = folder / "run" / "codes.npz"
    before = codes.read_bytes()
    with pytest.raises(SystemExit):
        run(folder, "--resume", "--epochs", "2")
    said = capsys.readouterr().err
    assert "codes have changed" in said
    assert said.endswith(f"Received: {folder / 'run' / 'prior'}\n")
    assert codes.read_bytes() == before
