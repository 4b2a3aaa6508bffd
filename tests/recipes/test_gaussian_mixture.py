"""The recipe from its command line; its numbers are tested with the model."""

import json

import numpy as np
import tensorflow as tf

from recipes import gaussian_mixture


def test_smoke(tmp_path):
    gaussian_mixture.main(
        [
            *("--smoke", "--out", str(tmp_path / "run")),
            *("--saved-models", str(tmp_path / "saved_models")),
        ]
    )
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    numbers, reference = metrics["numbers"], metrics["paper"]
    assert abs(numbers["plane_log_prob"] - reference["plane_log_prob"]) < 0.02
    assert abs(numbers["bayes_error"] - reference["bayes_error"]) < 0.005
    figures = {p.name for p in tmp_path.glob("run/figures/*.png")}
    assert figures == {"images.png", "loss_curves.png", "plane.png"}
    served = tf.saved_model.load(
        str(tmp_path / "saved_models" / "gaussian_mixture" / "1")
    )
    drawn = served.signatures["serving_default"](
        num=tf.constant(6), seed=tf.constant([1, 2])
    )["samples"]
    density = served.signatures["log_prob"](x=drawn)["log_prob"]
    assert drawn.shape == (6, 10)
    assert np.isfinite(density).all()
