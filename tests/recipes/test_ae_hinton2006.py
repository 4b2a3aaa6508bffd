"""The recipe from its command line."""

import json

import numpy as np

from recipes import ae_hinton2006

FIGURES = {
    "compared.png",
    "latent_map.png",
    "loss_curves.png",
    "reconstructions.png",
}


class Data:
    event_shape = (28, 28, 1)
    steps_per_epoch = 1


def run(path, *flags):
    ae_hinton2006.main(
        [
            *("--smoke", "--out", str(path / "run")),
            *("--saved-models", str(path / "saved_models")),
            *flags,
        ]
    )
    return json.loads((path / "run" / "metrics.json").read_text())


def test_smoke(tmp_path):
    metrics = run(tmp_path, "--input-noise", "0.1")
    numbers = metrics["numbers"]
    assert set(numbers) == {
        "deep_squared_error",
        "linear_encoder_squared_error",
        "logistic_pca_squared_error",
        "pca_squared_error",
    }
    assert all(0 < value < 25 for value in numbers.values())
    assert metrics["paper"] == {}
    assert sorted(metrics["epochs"].values()) == [1, 2]
    figures = {p.name for p in (tmp_path / "run").glob("figures/*.png")}
    assert figures == FIGURES
    exported = tmp_path / "saved_models" / "ae_hinton2006" / "1"
    assert (exported / "saved_model.pb").is_file()


def test_cross_entropy_and_no_logistic_pca(tmp_path):
    metrics = run(
        tmp_path, "--loss", "bernoulli", "--logistic-pca", "0", "--epochs", "1"
    )
    assert set(metrics["numbers"]) == {
        "deep_squared_error",
        "linear_encoder_squared_error",
        "pca_squared_error",
    }


def test_the_network_is_the_papers():
    for preset in ("mnist", "paper"):
        config = ae_hinton2006.Config(**ae_hinton2006.PRESETS[preset])
        model = ae_hinton2006.build(config, Data)
        model.build((None, 28, 28, 1))
        kernels = [v.shape for v in model.trainable_variables if v.ndim == 2]
        widths = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]
        assert kernels == list(zip(widths[:-1], widths[1:]))
        code = model.encoder.layers[-1]
        assert code.activation.__name__ == "linear"
        x = np.random.default_rng(0).random((3, 28, 28, 1), "float32")
        reconstructions = np.asarray(model.reconstruct(x))
        assert 0 <= reconstructions.min() <= reconstructions.max() <= 1
    assert model.encoder.layers[2].activation.__name__ == "sigmoid"
