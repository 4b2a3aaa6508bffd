"""The recipe from its command line."""

import json

import keras
import numpy as np
import pytest

from recipes import dae_vincent2010

FIGURES = {
    "corrupted_reconstructions.png",
    "filters.png",
    "loss_curves_classifier.png",
    "loss_curves_layer1.png",
    "loss_curves_layer2.png",
    "reconstructions.png",
}


def main(run, *flags):
    dae_vincent2010.main(
        [
            *("--smoke", "--out", str(run)),
            *("--saved-models", str(run.parent / "saved_models")),
            *flags,
        ]
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("dae_vincent2010") / "run"
    main(path)
    return path


def test_smoke_leaves_everything(run):
    stages = {"layer1", "layer2", "classifier"}
    assert {path.name for path in run.iterdir()} == {
        *(".lock", "config.json", "figures", "metrics.json"),
        *stages,
    }
    for stage in stages:
        assert (run / stage / "history.csv").is_file()
    assert {path.name for path in run.glob("figures/*.png")} == FIGURES
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["paper"] == {}
    assert metrics["epochs"] == {stage: 2 for stage in stages}
    assert set(metrics["numbers"]) == {
        "test_reconstruction_loss_layer1",
        "test_reconstruction_loss_layer2",
        "pixels_error",
        "logistic_regression_error",
        "fine_tuned_error",
    }
    exported = run.parent / "saved_models" / "dae_vincent2010" / "1"
    assert metrics["exported"] == str(exported)


def test_files_are_those_of_the_stack(run):
    layers = [
        keras.saving.load_model(run / name / "best.keras")
        for name in ("layer1", "layer2")
    ]
    assert [layer.corruption.rate for layer in layers] == [0.2, 0.2]
    assert layers[1].event_shape == layers[0].latent_shape() == (12,)
    # Kernel, code bias and output bias: tied.
    assert [len(layer.trainable_variables) for layer in layers] == [3, 3]
    classifier = keras.saving.load_model(run / "classifier" / "best.keras")
    assert classifier.output_shape == (None, 10)
    # The stack is as it was before fine-tuning.
    kernels = [
        np.asarray(model.trainable_variables[0])
        for model in (layers[0], classifier)
    ]
    assert kernels[0].shape == kernels[1].shape
    assert np.any(kernels[0] != kernels[1])


def test_a_mistake_is_one_line(run, capsys, tmp_path):
    for flags, message in (
        ((str(run),), "not empty"),
        ((str(tmp_path / "a"), "--noise-levels", "0.1"), "for each layer"),
        ((str(tmp_path / "b"), "--noise-levels", "0.1", "2"), "rate=2"),
    ):
        out, *rest = flags
        with pytest.raises(SystemExit) as stop:
            main(tmp_path / "run", "--out", out, *rest)
        assert stop.value.code == 2
        assert message in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("preset", ["mnist", "mnist_stacked", "paper"])
def test_presets_fit_together(preset):
    config = dae_vincent2010.Config(**dae_vincent2010.PRESETS[preset])
    stack = dae_vincent2010.build(config, (28, 28, 1))
    assert len(stack) == len(config.units)
    assert stack[-1].encoder.output_shape == (None, config.units[-1])


def test_error_is_in_percent():
    logits = np.eye(3, dtype="float32")
    labels = np.array([0, 1, 1], "uint8")
    assert np.mean(dae_vincent2010.error(labels, logits)) == pytest.approx(
        100 / 3
    )
    # As a data set of columns has them.
    wrong = dae_vincent2010.error(labels[:, None], logits)
    np.testing.assert_array_equal(wrong, [0, 0, 100])
