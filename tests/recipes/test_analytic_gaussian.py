"""The recipe from its command line; its numbers are tested with the models."""

import json

from recipes import analytic_gaussian


def test_smoke(tmp_path):
    analytic_gaussian.main(
        [
            *("--smoke", "--out", str(tmp_path / "run")),
            *("--saved-models", str(tmp_path / "saved_models")),
        ]
    )
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    numbers, exact = metrics["numbers"], metrics["paper"]
    assert numbers["train_elbo"] < exact["train_elbo"]
    error = numbers["exact_model_neg_elbo"] - exact["exact_model_neg_elbo"]
    assert abs(error) < 4 * numbers["exact_model_standard_error"]
    assert exact["half_posterior_variance"] == 0.25
    assert (tmp_path / "run" / "figures" / "analytic_gaussian.png").exists()
    assert (tmp_path / "saved_models" / "analytic_gaussian" / "1").is_dir()
