"""The recipe from its command line."""

import json

import keras
import numpy as np
import pytest

from recipes import sparse_ae_ng2011

FIGURES = {
    "activations.png",
    "filters.png",
    "latent_map.png",
    "loss_curves.png",
    "reconstructions.png",
}


def test_smoke_leaves_everything(tmp_path):
    sparse_ae_ng2011.main(
        [
            *("--smoke", "--rho", "0.2", "--out", str(tmp_path / "run")),
            *("--saved-models", str(tmp_path / "saved_models")),
        ]
    )
    run = tmp_path / "run"
    assert {path.name for path in run.glob("figures/*.png")} == FIGURES
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics["numbers"]) == {
        "mean_activation",
        "mean_deviation_from_rho",
        "dead_units",
        "active_fraction",
        "test_squared_error",
    }
    best = keras.saving.load_model(run / "best.keras")
    assert (best.rho, best.momentum) == (0.2, 0.9)
    assert best.latent_shape() == (9,)
    exported = tmp_path / "saved_models" / "sparse_ae_ng2011" / "1"
    assert (exported / "saved_model.pb").is_file()


def test_the_loss_is_that_of_the_notes(digits):
    """J of the docstring and a constant of the normal distribution."""
    config = sparse_ae_ng2011.Config(momentum=None, units=7)
    model = sparse_ae_ng2011.build(config, (8, 8, 1))
    model.build((None, 8, 8, 1))
    x = digits[:30]
    model.compile()
    loss = model.evaluate(x, batch_size=30, verbose=0, return_dict=True)["loss"]
    kernels = [np.float64(w) for w in model.trainable_weights if w.ndim == 2]
    hidden = np.float64(model.encode(x))
    rho, rho_hat = 0.1, hidden.mean(0)
    error = np.sum((np.float64(model(x)) - x) ** 2) / (2 * len(x))
    decay = 3e-3 / 2 * sum(np.sum(kernel**2) for kernel in kernels)
    sparsity = np.sum(
        rho * np.log(rho / rho_hat)
        + (1 - rho) * np.log((1 - rho) / (1 - rho_hat))
    )
    constant = 64 / 2 * np.log(2 * np.pi)
    assert len(kernels) == 2
    assert loss == pytest.approx(
        error + decay + 3 * sparsity + constant, rel=1e-5
    )


def test_initial_weights_are_those_of_the_notes():
    preset = sparse_ae_ng2011.PRESETS["mnist"]
    model = sparse_ae_ng2011.build(
        sparse_ae_ng2011.Config(**preset), (28, 28, 1)
    )
    bound = np.sqrt(6 / (784 + 196 + 1))
    for weight in model.trainable_weights:
        largest = np.max(np.abs(weight))
        if weight.ndim == 2:
            assert 0.999 * bound < largest <= bound
        else:
            assert largest == 0
