"""Settings, refusals, and a run that stops and goes on."""

import dataclasses
import json
import pathlib
import shutil
from typing import Literal

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import networks
from recipes import harness
from recipes.data import steps_at_once
from tests.recipes import runs


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings.

    Args:
        preset: What the other flags default to.
        width: Units of the hidden layer.
        weight_average: Momentum.
    """

    preset: Literal["default", "wide"] = "default"
    width: int = 8
    weight_average: float = 0.0


def parse(*argv):
    seen = []
    harness.command_line(
        "test",
        seen.append,
        Config,
        presets={"default": {}, "wide": {"width": 64, "epochs": 7}},
        smoke={"epochs": 2},
        argv=argv,
    )
    return seen[0]


class Stop(keras.callbacks.Callback):
    """Ends the process, as far as a test can, after a number of batches."""

    def __init__(self, batches=None):
        super().__init__()
        self.batches = batches

    def on_train_batch_end(self, batch, logs=None):
        if self.batches is not None and self.model.step >= self.batches:
            raise KeyboardInterrupt


class Spoil(keras.callbacks.Callback):
    """Makes the last bias of the decoder NaN in the second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            weight = self.model.decoder.trainable_weights[-1]
            weight.assign(tf.fill(weight.shape, np.nan))


def train(config, *extra, **report):
    with harness.Run("test", config) as run:
        data = run.load("dynamic")
        with run.strategy.scope():
            model = keras_vae.VAE(
                networks.mlp_encoder(data.event_shape, (config.width,)),
                networks.mlp_decoder(2, data.event_shape, (config.width,)),
                latent_dim=2,
                beta=keras_vae.schedules.LinearWarmUp(40),
                seed=config.seed,
            )
            rate = keras.optimizers.schedules.CosineDecay(1e-2, 60)
            optimizer = keras.optimizers.Adam(
                rate,
                use_ema=config.weight_average > 0,
                ema_momentum=config.weight_average,
            )
            run.compile(model, optimizer, data)
        best = run.fit(model, data, extra=extra)
        if report:
            run.finish(best, **report)
    return run, best


def settings(folder, **kwargs):
    return Config(
        batch_size=150,
        out=str(folder / "run"),
        saved_models=str(folder / "saved_models"),
        **{"epochs": 4, **kwargs},
    )


@pytest.fixture
def config(tmp_path):
    return settings(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two epochs: the folder, the run, the model of the better one."""
    folder = tmp_path_factory.mktemp("harness")
    return folder, *train(settings(folder, epochs=2))


@pytest.fixture
def copy(trained, tmp_path):
    """The settings that resume a copy of these two epochs."""
    shutil.copytree(trained[0] / "run", tmp_path / "run")
    return settings(tmp_path, epochs=2, resume=True)


# === Settings ===


def test_presets_and_smoke_change_defaults_only():
    assert (parse().width, parse().epochs) == (8, 50)
    wide = parse("--preset", "wide")
    assert (wide.preset, wide.width, wide.epochs) == ("wide", 64, 7)
    assert parse("--preset=wide", "--width", "3").width == 3
    assert parse("--smoke").epochs == 2
    assert parse("--smoke", "--preset", "wide").epochs == 2
    assert parse("--smoke", "--epochs", "5").epochs == 5
    with pytest.raises(SystemExit) as stop:
        parse("--preset", "narrow")
    assert stop.value.code == 2


def test_help_documents_every_flag(capsys):
    with pytest.raises(SystemExit) as stop:
        parse("--help")
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    documents = harness.Config.__doc__ + Config.__doc__
    for field in dataclasses.fields(Config):
        document = documents.split(f"\n        {field.name}: ")[1]
        first_line = document.split("\n")[0]
        assert f"--{field.name.replace('_', '-')}" in text
        assert first_line in text


@pytest.mark.parametrize(
    "error",
    [
        ValueError("`x` must be y. Received: x=1"),
        FileNotFoundError(2, "No such file", "z"),
        keras_vae.callbacks.NonFiniteError("kl_loss is not finite", ["kl"]),
    ],
)
def test_what_the_user_must_change_is_one_line(error, capsys):
    def fail(config):
        raise error

    with pytest.raises(SystemExit) as stop:
        harness.command_line("test", fail, Config, argv=[])
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: {error}\n"


def test_other_errors_keep_their_traceback():
    def fail(config):
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        harness.command_line("test", fail, Config, argv=[])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "`epochs` must be at least 1. Received: epochs=0"),
        ({"width": -1}, "Received: width=-1"),
        ({"resume": True, "out": None}, "Received: out=None"),
        ({"resume": True, "out": "/no/run"}, "no run to resume"),
        ({"strategy": "multiworker"}, "TF_CONFIG=None"),
    ],
)
def test_contradictions_are_found_first(config, changes, message):
    with pytest.raises(ValueError, match=message):
        harness.Run("test", dataclasses.replace(config, **changes))


def test_precision_ends_with_the_run(config):
    config = dataclasses.replace(config, precision="mixed_bfloat16")
    with harness.Run("test", config):
        layer = keras.layers.Dense(1)
    assert layer.compute_dtype == "bfloat16"
    assert keras.layers.Dense(1).compute_dtype == "float32"


# === Data ===


def test_load(config):
    with harness.Run("test", config) as run:
        data = run.load("dynamic")
    arrays = keras_vae.datasets.load_arrays("digits")
    assert data.steps_per_epoch == 9
    assert data.event_shape == (8, 8, 1)
    assert set(np.unique(data.x_test)) == {0.0, 1.0}
    np.testing.assert_allclose(data.mean, arrays.x_train.mean(0), atol=1e-6)
    x, labels = data.examples(50)
    rows = [np.flatnonzero((data.x_test == e).all((1, 2, 3))) for e in x]
    for candidates, label in zip(rows, labels):
        assert label in arrays.y_test[candidates]
    assert len(set(labels)) == 10


def test_steps_at_once_divide_an_epoch(config):
    with harness.Run("test", config) as run:
        data = run.load()

    def steps(n):
        return steps_at_once(dataclasses.replace(data, steps_per_epoch=n), 100)

    assert [steps(n) for n in (9, 100, 101, 594)] == [9, 100, 1, 99]


# === Training ===


def test_refusals_come_before_training(config, tmp_path):
    (tmp_path / "saved_models").write_text("a file")
    with pytest.raises(OSError, match="`saved_models`, cannot be written"):
        train(config)
    # The next attempt may have the same run directory.
    assert [p.name for p in (tmp_path / "run").iterdir()] == [".lock"]


def test_a_run_that_is_refused_exports_nothing(copy, tmp_path):
    with pytest.raises(ValueError, match="not empty"):
        train(dataclasses.replace(copy, resume=False))
    assert not (tmp_path / "saved_models").exists()


def test_a_run_that_ends_early_leaves_no_empty_model(config, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(config, Stop(1))
    assert not (tmp_path / "saved_models").exists()
    (tmp_path / "saved_models").mkdir()
    with pytest.raises(KeyboardInterrupt):
        train(dataclasses.replace(config, resume=True), Stop(1))
    assert list((tmp_path / "saved_models").iterdir()) == []


def test_unknown_data_leave_no_folder(config, tmp_path):
    with pytest.raises(ValueError, match="digits.*Received: name='digitz'"):
        train(dataclasses.replace(config, data="digitz"))
    assert not (tmp_path / "run").exists()


def test_fit_returns_the_best_epoch(trained):
    folder, run, best = trained
    path = folder / "run"
    assert run.path == path
    data = run.load("dynamic")
    measured = best.evaluate(data.validation, verbose=0, return_dict=True)
    assert measured["neg_elbo"] == pytest.approx(
        min(run.history["val_neg_elbo"]), rel=1e-5
    )
    rows = runs.history(path)
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert {"kl_loss", "val_kl_loss", "active_units"} <= set(rows[0])
    assert len(run.history["seconds"]) == 2
    assert (path / "logs" / "projector_config.pbtxt").is_file()
    assert (path / "figures" / "training" / "samples-00002.png").is_file()
    for part in ("train", "validation", "images"):
        assert list((path / "logs" / part).glob("events*")), part


@pytest.mark.parametrize(
    ("average", "batches"), [(0.0, 14), (0.9, 20)], ids=["plain", "average"]
)
def test_a_run_that_stopped_goes_on_as_if_it_had_not(
    config, tmp_path, average, batches
):
    config = dataclasses.replace(config, weight_average=average, epochs=3)
    train(config, Stop())
    other = dataclasses.replace(config, out=str(tmp_path / "other"))
    with pytest.raises(KeyboardInterrupt):
        train(other, Stop(batches))
    assert len(runs.history(tmp_path / "other")) == batches // 9
    run, _ = train(dataclasses.replace(other, resume=True), Stop())
    runs.assert_same_run(tmp_path / "run", tmp_path / "other")
    assert len(run.history["val_neg_elbo"]) == 3


def test_a_finished_run_is_not_trained_again(trained, copy, capsys):
    run, best = train(
        copy,
        numbers={"test_nll": np.float32(1.5), "active_units": 2},
        paper={"test_nll": 86.76},
        note="Not comparable.",
    )
    assert len(run.history["loss"]) == 2
    for array, before in zip(
        runs.finals(run.path)[1], runs.finals(trained[0] / "run")[1]
    ):
        np.testing.assert_array_equal(array, before)
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert metrics["recipe"] == "test"
    assert metrics["numbers"] == {"test_nll": 1.5, "active_units": 2}
    assert metrics["paper"] == {"test_nll": 86.76}
    assert metrics["seed"] == 0
    assert metrics["epochs"] == 2
    assert metrics["versions"]["keras"] == keras.__version__
    assert metrics["cores"] > 0
    assert metrics["command"].startswith("python ")
    assert set(metrics["seconds"]) == {"train", "evaluation", "total"}
    assert metrics["seconds"]["train"] > metrics["seconds"]["total"] / 100
    assert metrics["seconds"]["total"] >= metrics["seconds"]["train"]
    served = tf.saved_model.load(metrics["exported"])
    assert "sample" in served.signatures
    said = capsys.readouterr().out
    for text in ("1.50", "86.76", "Not comparable.", metrics["exported"]):
        assert text in said
    assert "tensorflow_model_server" in said
    assert f"{run.path}: trained before" in said
    assert str(run.path / "figures") in said


def test_total_is_of_all_processes(config):
    with harness.Run("test", config) as run:
        run.histories = {"one": {"seconds": [600.0, 400.0]}}
        # The second epoch is of this process.
        run._training, run._trained = 400.0, run._started + 500.0
        seconds = run._seconds()
    assert seconds["train"] == 1000.0
    rest = seconds["evaluation"] + 500.0 - 400.0
    assert seconds["total"] == pytest.approx(1000.0 + rest)


def test_what_is_exported_already_is_not_exported_again(copy, tmp_path):
    def exported(config):
        run, _ = train(config, numbers={"one": 1})
        metrics = json.loads((run.path / "metrics.json").read_text())
        return pathlib.Path(metrics["exported"])

    first = tmp_path / "saved_models" / "test" / "1"
    assert exported(copy) == exported(copy) == first
    assert [path.name for path in first.parent.iterdir()] == ["1"]
    elsewhere = dataclasses.replace(copy, saved_models=str(tmp_path / "other"))
    assert exported(elsewhere) == tmp_path / "other" / "test" / "1"
    assert exported(dataclasses.replace(copy, epochs=3)).name == "2"


def test_numbers_stand_below_each_other():
    numbers = {"bound": -45.738, "variance": 0.00253, "units": 3, "none": 0.0}
    table = harness._table(
        {**numbers, "contractive_saturation_percent": 1.0},
        {"bound": -40, "other": 2.5},
        "exact",
    ).splitlines()
    assert len({len(line) for line in table}) == 1
    assert [line.split() for line in table] == [
        ["here", "exact"],
        ["bound", "-45.74", "-40"],
        ["variance", "0.0025", "-"],
        ["units", "3", "-"],
        ["none", "0.00", "-"],
        ["contractive_saturation_percent", "1.00", "-"],
        ["other", "-", "2.50"],
    ]


def test_more_epochs_may_be_added(copy, capsys):
    run, _ = train(dataclasses.replace(copy, epochs=3))
    assert f"{run.path}: training of 3 epochs on digits, after epoch 2" in (
        capsys.readouterr().out
    )
    assert [row["epoch"] for row in runs.history(run.path)] == ["0", "1", "2"]


def test_other_settings_may_not(copy):
    with pytest.raises(ValueError, match="width was 8, is 9"):
        train(dataclasses.replace(copy, width=9))


def test_nan_stops_the_run_and_spares_the_last_good_state(config):
    with pytest.raises(
        keras_vae.callbacks.NonFiniteError, match="reconstruction_loss.* step "
    ):
        train(config, Spoil())
    path = pathlib.Path(config.out)
    assert runs.finals(path)[0] == "epoch-00000001.npz"
    model = keras.saving.load_model(path / "best.keras")
    assert all(np.isfinite(w).all() for w in model.get_weights())


# === Stages ===


def train_stages(config, *extra):
    """An autoencoder of the images, one of its codes, and a classifier."""
    with harness.Run("test", config) as run:
        data = run.load()
        first = keras_vae.Autoencoder(
            networks.mlp_encoder(data.event_shape, (config.width,)),
            networks.mlp_decoder(config.width, data.event_shape, ()),
            seed=config.seed,
        )
        run.compile(first, keras.optimizers.Adam(), data)
        first = run.fit(first, data, "val_loss", stage="first", epochs=2)
        arrays = run.arrays()
        codes = run.data_of(
            *(
                keras_vae.evaluation.encode_in_batches(first, x)
                for x in (arrays.x_train, arrays.x_validation, arrays.x_test)
            ),
            arrays.y_test,
        )
        second = keras_vae.Autoencoder(
            networks.mlp_encoder((config.width,), (3,), name="upper"),
            networks.mlp_decoder(3, (config.width,), ()),
            seed=config.seed,
        )
        run.compile(second, keras.optimizers.Adam(), codes)
        second = run.fit(second, codes, "val_loss", extra=extra, stage="second")
        labelled = run.load(with_labels=True)
        classifier = keras.Sequential(
            [first.encoder, second.encoder, keras.layers.Dense(10)]
        )
        run.compile(
            classifier,
            keras.optimizers.Adam(),
            labelled,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        classifier = run.fit(
            classifier, labelled, "val_loss", stage="classifier", epochs=1
        )
        run.draw(second, codes)
        run.finish(second, {"codes": codes.event_shape[0]})
    return run, first, second, classifier


def test_stages_resume_at_the_one_that_is_missing(config, tmp_path):
    _, _, expected, _ = train_stages(config)

    other = dataclasses.replace(config, out=str(tmp_path / "other"))
    with pytest.raises(KeyboardInterrupt):
        train_stages(other, Stop(20))
    assert not (tmp_path / "other" / "metrics.json").exists()
    before = (tmp_path / "other" / "first" / "best.keras").stat().st_mtime_ns
    run, _, second, classifier = train_stages(
        dataclasses.replace(other, resume=True), Stop()
    )

    after = (tmp_path / "other" / "first" / "best.keras").stat().st_mtime_ns
    assert after == before
    for array, other_array in zip(expected.get_weights(), second.get_weights()):
        np.testing.assert_array_equal(array, other_array)
    assert classifier.output_shape == (None, 10)
    assert list(run.histories) == ["first", "second", "classifier"]
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert metrics["epochs"] == {"first": 2, "second": 4, "classifier": 1}
    assert metrics["seconds"]["train"] == pytest.approx(
        sum(sum(h["seconds"]) for h in run.histories.values()), abs=0.1
    )
    assert (run.path / "second" / "logs" / "tensors.tsv").is_file()
