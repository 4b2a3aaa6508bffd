"""What the recipes share: settings, process, data, training, report.

with harness.Run("name", config) as run:
    data = run.load(binarize="dynamic")
    with run.strategy.scope():
        model = keras_vae.VAE(...)
        run.compile(model, keras.optimizers.Adam(), data)
    best = run.fit(model, data)
    if best is not None:
        run.draw(best, data)
        run.finish(best, {"test_neg_elbo": ...}, paper={...})
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

import keras_vae
from keras_vae import callbacks
from keras_vae import datasets
from keras_vae import evaluation
from keras_vae import visualization
from keras_vae.callbacks.writing import is_chief
from keras_vae.visualization.tile_images import is_image_batch
from recipes.environment import environment
from recipes.run_directory import RunDirectory
from recipes.run_directory import next_free
from recipes.save_best import SaveBest

# === Settings ===


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings that all recipes have.

    Args:
        data: Image set: digits (bundled), mnist, fashion_mnist, cifar10, or
            the name of a file in --data-dir.
        data_dir: Folder of .npz files (x_train, x_test, ...); default: the
            environment variable KERAS_VAE_DATA.
        validation_fraction: Part of the training images that chooses the best
            epoch; default: the split of the source, or a tenth.
        epochs: Passes over the training images.
        batch_size: Images in a batch, over all replicas.
        strategy: mirrored: all GPUs of this machine; multiworker: the
            processes named by TF_CONFIG.
        precision: Keras dtype policy of the networks.
        seed: Of weights, data order and noise.
        deterministic: Equal runs give equal bits (slower: no XLA).
        out: Run directory; default: the next runs/<recipe>/<number>.
        resume: Go on with the run in --out, after its last backup.
        saved_models: The model is exported to <this>/<recipe>/<version>.
        smoke: Seconds instead of minutes: everything runs, nothing is learnt.
    """

    data: str = "digits"
    data_dir: str | None = None
    validation_fraction: float | None = None
    epochs: int = 50
    batch_size: int = 100
    strategy: Literal["none", "mirrored", "multiworker"] = "none"
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: int = 0
    deterministic: bool = False
    out: str | None = None
    resume: bool = False
    saved_models: str = "saved_models"
    smoke: bool = False


def command_line(
    recipe, train, config_class, presets=None, smoke=None, argv=None
):
    """Runs a recipe with settings from the command line.

    `--preset` and `--smoke` change the defaults of the other flags.

    Args:
        recipe: str, the name of the module in `recipes`.
        train: callable that takes a config.
        config_class: subclass of `Config`.
        presets: None, or dict from the values of the field `preset` to dicts
            of defaults.
        smoke: None, or dict of the defaults under `--smoke`.
        argv: None (those of the process), or list of str.

    Raises:
        SystemExit: With status 2 and one line, if the user must change
            something.
    """
    import tyro

    argv = sys.argv[1:] if argv is None else list(argv)
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset")
    first.add_argument("--smoke", action="store_true")
    chosen, _ = first.parse_known_args(argv)
    defaults = dict((presets or {}).get(chosen.preset, {}))
    if chosen.smoke:
        defaults.update(smoke or {})
    config = tyro.cli(
        config_class,
        prog=f"python -m recipes.{recipe}",
        description=sys.modules[config_class.__module__].__doc__,
        args=argv,
        default=config_class(**defaults),
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    try:
        train(config)
    except (ValueError, OSError, ImportError, callbacks.NonFiniteError) as e:
        print(f"error: {e}", file=sys.stderr)
        raise SystemExit(2) from e


# === Data ===


@dataclasses.dataclass(frozen=True)
class Data:
    """What a run trains and tests on.

    Args:
        train: Callable from an epoch to the endless batches from it on.
        steps_per_epoch: Batches in one epoch.
        validation: `tf.data.Dataset` of batches, or None.
        x_test: float32 array of test examples, in the order of the source.
        y_test: Their labels, or None.
        mean: Mean training example, or None.
    """

    train: Callable[[int], tf.data.Dataset]
    steps_per_epoch: int
    validation: tf.data.Dataset | None
    x_test: np.ndarray
    y_test: np.ndarray | None = None
    mean: np.ndarray | None = None

    @property
    def event_shape(self):
        return self.x_test.shape[1:]

    def examples(self, num=None):
        """Test examples and their labels, in an order that mixes classes."""
        order = np.random.default_rng(0).permutation(len(self.x_test))[:num]
        labels = None if self.y_test is None else self.y_test[order]
        return self.x_test[order], labels


def _array(batches):
    return np.concatenate(list(batches.as_numpy_iterator()))


# === Run ===


class Run:
    """One run of a recipe, from the settings to the exported model.

    Making it sets up the process: seeds, precision, determinism, strategy.
    All that can be wrong with settings, data and model is found before `fit`
    touches the run directory, which is held until the `with` block ends.

    Args:
        recipe: str, the name of the module in `recipes`.
        config: `Config`.

    Attributes:
        strategy: `tf.distribute.Strategy`; make the model in its scope.
        path: `pathlib.Path` of the run directory, from `fit` on.
        history: dict of the logs by epoch, after `fit`.

    Raises:
        ValueError: If settings contradict each other.
    """

    def __init__(self, recipe, config):
        self.recipe = recipe
        self.config = config
        self.path = None
        self.history = None
        self._directory = None
        self._started = time.perf_counter()
        self._trained = None
        _check(config)
        keras.utils.set_random_seed(config.seed)
        if config.deterministic:
            _make_deterministic()
        # Before any operation: the workers meet here.
        self.strategy = _strategy(config.strategy)
        self._policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(config.precision)

    def __enter__(self):
        return self

    def __exit__(self, error_type, *_):
        keras.config.set_dtype_policy(self._policy)
        if self._directory is not None:
            self._directory.__exit__()
        if error_type is None and self.config.strategy == "multiworker":
            # A worker that left would take the chief's devices with it.
            _meet(self.strategy)

    def load(self, binarize=None):
        """The image set of the settings, as `Data`."""
        name, folder = self.config.data, self.config.data_dir
        validation_fraction = self.config.validation_fraction

        def splits(**kwargs):
            return datasets.load(
                name,
                data_dir=folder,
                batch_size=self.config.batch_size,
                binarize=binarize,
                seed=self.config.seed,
                validation_fraction=validation_fraction,
                **kwargs,
            )

        def train(epoch):
            return splits(repeat=True, start_epoch=epoch).train

        arrays = datasets.load_arrays(name, folder, validation_fraction)
        first = splits()
        return Data(
            train,
            first.steps_per_epoch,
            first.validation,
            _array(first.test),
            arrays.y_test,
            arrays.x_train.mean(0, dtype="float64") / arrays.pixel_max,
        )

    def compile(self, model, optimizer, data):
        """Compiles and builds a model, as fast as the strategy allows."""
        model.compile(optimizer, steps_per_execution=self._steps_at_once(data))
        model.build((None, *data.event_shape))

    def _steps_at_once(self, data, most=100):
        if self.config.strategy != "none":
            return 1
        # Keras rounds an epoch up to whole executions.
        return max(
            steps
            for steps in range(1, min(most, data.steps_per_epoch) + 1)
            if data.steps_per_epoch % steps == 0
        )

    # === Training ===

    def fit(self, model, data, monitor="val_neg_elbo", extra=()):
        """Trains in the run directory, from the last backup if there is one.

        Args:
            model: compiled and built, made in the scope of the strategy.
            data: `Data`.
            monitor: str, the log whose smallest value marks the best epoch.
            extra: further callbacks.

        Returns:
            The model of the best epoch, read back from best.keras; None in a
            worker that is not the chief.

        Raises:
            ValueError: If the run directory is another run's, or held.
            OSError: If a folder cannot be written.
            NonFiniteError: If training leaves the finite numbers.
        """
        chief = is_chief(model)
        self._open(chief)
        if data.validation is None:
            monitor = monitor.removeprefix("val_")
        watching = [*self._watching(model, data, monitor), *extra]
        backup = callbacks.ExactBackup(self.path / "backup", watching)
        epoch = backup.restore(model)
        if chief:
            watching.append(
                keras.callbacks.TensorBoard(
                    self.path / "logs", write_graph=False
                )
            )
        model.fit(
            data.train(epoch),
            epochs=epoch if backup.stopped else self.config.epochs,
            initial_epoch=epoch,
            steps_per_epoch=data.steps_per_epoch,
            validation_data=data.validation,
            callbacks=[*watching, backup],
            verbose="auto" if chief else 0,
        )
        self.history = model.history.history
        self._trained = time.perf_counter()
        if not chief:
            return None
        with self._scope_of_chief():
            return keras.saving.load_model(self.path / "best.keras")

    def _open(self, chief):
        config = self.config
        self.path = pathlib.Path(
            config.out or next_free(pathlib.Path("runs") / self.recipe)
        )
        if not chief:
            return
        directory = RunDirectory(self.path).__enter__()
        self._directory = directory
        directory.claim(self.recipe, dataclasses.asdict(config), config.resume)
        # Hours of training should not end at a folder without permission.
        self._exports.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(prefix=".", dir=self._exports).cleanup()

    @property
    def _exports(self):
        return pathlib.Path(self.config.saved_models) / self.recipe

    def _scope_of_chief(self):
        """The other workers take no part in what follows the training."""
        if self.config.strategy == "multiworker":
            return contextlib.nullcontext()
        return self.strategy.scope()

    def _watching(self, model, data, monitor):
        """Callbacks: who changes weights or logs comes before who reads."""
        watching = [_Seconds()]
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        if optimizer.use_ema:
            watching.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
        # The code of a mixture is an index: it decodes to nothing.
        has_codes = hasattr(model, "decode")
        if has_codes and data.validation is not None:
            watching.append(
                callbacks.PosteriorCollapseAlarm(
                    _array(data.validation),
                    patience=max(5, self.config.epochs // 10),
                )
            )
        watching += [
            callbacks.HistoryCSV(self.path / "history.csv"),
            SaveBest(self.path / "best.keras", monitor),
        ]
        logs = self.path / "logs"
        x, labels = data.examples(1000)
        if is_image_batch(x):
            watching.append(
                callbacks.ImageGrid(
                    x[:20],
                    every=max(1, self.config.epochs // 10),
                    log_dir=logs / "images",
                    image_dir=self.path / "figures" / "training",
                )
            )
        if has_codes:
            watching.append(
                callbacks.EmbeddingProjector(x, labels, log_dir=logs)
            )
        return watching

    # === Results ===

    def draw(self, model, data):
        """Figures of a model of images with `encode` and `sample`."""
        x, labels = data.examples(5000)
        codes = evaluation.encode_in_batches(model, x)
        figures = {
            "reconstructions": visualization.plot_reconstructions(
                model, x[:20]
            ),
            "samples": visualization.plot_samples(model, seed=self.config.seed),
            "traversals": visualization.plot_traversals(model, x[:1000]),
            "loss_curves": self.draw_history(),
        }
        if codes.shape[1] >= 2:
            figures["latent_map"] = visualization.plot_latent_map(codes, labels)
        for name, figure in figures.items():
            self.save_figure(name, figure)

    def draw_history(self):
        """Figure of all terms over the epochs."""
        return visualization.plot_history(
            {k: v for k, v in self.history.items() if k != "seconds"}
        )

    def save_figure(self, name, figure):
        """Writes figures/<name>.png."""
        visualization.save_figure(figure, self.path / "figures" / f"{name}.png")

    def finish(self, model, numbers, paper=None, note=None):
        """Exports the model, writes metrics.json, says what is where.

        Args:
            model: a model with `export_signatures`.
            numbers: dict of str to number, the results.
            paper: None, or dict of str to number: what the paper reports of
                the same quantities.
            note: None, or str: what to know when comparing.
        """
        exported = keras_vae.export_model(model, self._exports)
        now = time.perf_counter()
        seconds = {
            "train": sum(self.history["seconds"]),
            "evaluation": now - self._trained,
            "total": now - self._started,
        }
        self._directory.write_json(
            "metrics.json",
            {
                "recipe": self.recipe,
                "numbers": numbers,
                "paper": paper or {},
                "note": note,
                "epochs": len(self.history["seconds"]),
                "seed": self.config.seed,
                "exported": str(exported),
                "seconds": {k: round(v, 1) for k, v in seconds.items()},
                "gpus": len(tf.config.list_physical_devices("GPU")),
                **environment(),
            },
        )
        self._say(exported, numbers, paper or {}, note, seconds)

    def _say(self, exported, numbers, paper, note, seconds):
        print(f"\n{'':24}{'here':>12}{'paper':>12}")
        for name in dict.fromkeys([*numbers, *paper]):
            here, there = numbers.get(name), paper.get(name)
            print(f"{name:24}{_number(here):>12}{_number(there):>12}")
        if note:
            print(note)
        print(
            "\nseconds      "
            + ", ".join(f"{k} {v:.0f}" for k, v in seconds.items())
        )
        print(f"figures      {self.path / 'figures'}")
        print(f"history      {self.path / 'history.csv'}")
        print(f"numbers      {self.path / 'metrics.json'}")
        print(f"best model   {self.path / 'best.keras'}")
        print(f"TensorBoard  tensorboard --logdir {self.path / 'logs'}")
        print(f"SavedModel   {exported}")
        print(
            "serve it     tensorflow_model_server --rest_api_port=8501 "
            f"--model_name={self.recipe} "
            f"--model_base_path={shlex.quote(str(exported.parent.resolve()))}"
        )


class _Seconds(keras.callbacks.Callback):
    """Logs the wall time of each epoch, what callbacks take included."""

    def on_train_begin(self, logs=None):
        self._last = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        logs["seconds"] = now - self._last
        self._last = now


# === Process ===


def _check(config):
    if config.epochs < 1:
        raise ValueError(
            f"`epochs` must be at least 1. Received: epochs={config.epochs}"
        )
    if config.resume and config.out is None:
        raise ValueError(
            "`resume` needs the run directory, `out`. Received: out=None"
        )
    if config.resume and not pathlib.Path(config.out).is_dir():
        raise ValueError(
            f"There is no run to resume. Received: out={config.out!r}"
        )
    if config.strategy != "multiworker":
        return
    if config.out is None or "TF_CONFIG" not in os.environ:
        raise ValueError(
            "The strategy multiworker needs the environment variable "
            "TF_CONFIG and one `out` for all workers. "
            f"Received: out={config.out!r}, "
            f"TF_CONFIG={os.environ.get('TF_CONFIG')!r}"
        )


def _strategy(name):
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multiworker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def _make_deterministic():
    tf.config.experimental.enable_op_determinism()
    # Sums over threads depend on how many there are. Once TensorFlow has
    # started, their number no longer changes.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(os.cpu_count())
        tf.config.threading.set_inter_op_parallelism_threads(os.cpu_count())


def _meet(strategy):
    """Returns when every worker has come here."""

    @tf.function
    def add_up():
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(1))

    strategy.run(add_up)


def _number(value):
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"
