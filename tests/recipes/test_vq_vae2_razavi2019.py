"""The recipe from its command line: two levels, two priors, a comparison."""

import json

import numpy as np
import pytest
import tensorflow as tf

from recipes import vq_vae2_razavi2019


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vq_vae2_razavi2019")
    vq_vae2_razavi2019.main(
        [
            *("--smoke", "--compare", "--compare-embeddings", "16"),
            *("--num-embeddings", "8"),
            *("--out", str(folder / "run")),
            *("--saved-models", str(folder / "saved_models")),
        ]
    )
    return folder


def test_numbers_of_both_levels_and_of_one(folder):
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    numbers = metrics["numbers"]
    # 4x4 and 2x2 codes of 8, beside 4x4 codes of 16.
    assert numbers["bits"] == pytest.approx(20 * 3)
    assert numbers["one_level_bits"] == pytest.approx(16 * 4)
    assert numbers["one_level_parameters"] == pytest.approx(
        numbers["parameters"], rel=0.25
    )
    for name in ("test_nmse", "one_level_nmse", "rate_nats", "neg_elbo"):
        assert np.isfinite(numbers[name])
    assert 1.0 <= numbers["test_perplexity_1"] <= 8.0
    with np.load(folder / "run" / "codes.npz") as codes:
        assert codes["x_train_1"].shape[1:] == (4, 4)
        assert codes["x_train_2"].shape[1:] == (2, 2)


def test_priors_and_decoder_are_served_together(folder):
    served = tf.saved_model.load(folder / "saved_models/vq_vae2_razavi2019/1")
    samples = served.signatures["sample"](
        num=tf.constant(2), seed=tf.constant([1, 2])
    )["samples"]
    assert samples.shape == (2, 8, 8, 1)
