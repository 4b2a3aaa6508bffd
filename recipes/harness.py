"""What the recipes share: settings, process, data, training, report.

with harness.Run("name", config) as run:
    data = run.load(binarize="dynamic")
    with run.strategy.scope():
        model = keras_vae.VAE(...)
        run.compile(model, keras.optimizers.Adam(), data)
    best = run.fit(model, data)
    if run.chief:
        run.draw(best, data)
        run.finish(best, {"test_neg_elbo": ...}, paper={...})

A recipe that trains several models gives each a `stage` of its own.
"""

import contextlib
import dataclasses
import json
import pathlib
import shlex
import tempfile
import time

import keras
import tensorflow as tf

import keras_vae
from keras_vae import callbacks
from keras_vae import datasets
from keras_vae import evaluation
from keras_vae import visualization
from keras_vae.callbacks.writing import is_chief
from keras_vae.visualization.tile_images import is_image_batch
from recipes import process
from recipes.data import Data
from recipes.data import inputs
from recipes.data import steps_at_once
from recipes.environment import environment
from recipes.fingerprint import fingerprint
from recipes.run_directory import RunDirectory
from recipes.run_directory import next_free
from recipes.save_best import SaveBest
from recipes.save_best import load_best
from recipes.settings import Config
from recipes.settings import command_line

__all__ = ["Config", "Data", "Run", "command_line"]


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
        histories: dict of the logs by epoch of each stage, after its `fit`.
        history: those of the last `fit`.
        chief: bool, whether this process writes the files.

    Raises:
        ValueError: If settings contradict each other.
    """

    def __init__(self, recipe, config):
        self.recipe = recipe
        self.config = config
        self.path = None
        self.histories = {}
        self.history = None
        self.chief = True
        self._directory = None
        self._started = time.perf_counter()
        self._trained = None
        # Seconds of training in this process, not in those before it.
        self._training = 0.0
        process.check(config)
        keras.utils.set_random_seed(config.seed)
        if config.deterministic:
            process.make_deterministic()
        # Before any operation: the workers meet here.
        self.strategy = process.strategy(config.strategy)
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
            process.part(self.strategy)

    def arrays(self):
        """The image set of the settings, as `datasets.Arrays`."""
        config = self.config
        return datasets.load_arrays(
            config.data, config.data_dir, config.validation_fraction
        )

    def load(self, binarize=None, with_labels=False, drop_remainder=False):
        """The image set of the settings, as `Data`."""
        return self._data_of(
            self.arrays(), binarize, with_labels, drop_remainder
        )

    def data_of(self, x_train, x_validation, x_test, y_test=None):
        """Arrays, or dicts of them, such as codes of images, as `Data`."""
        return self._data_of(
            datasets.Arrays(x_train, None, x_validation, None, x_test, y_test)
        )

    def _data_of(
        self, arrays, binarize=None, with_labels=False, drop_remainder=False
    ):
        config = self.config
        return Data.of(
            arrays,
            config.batch_size,
            config.seed,
            binarize,
            with_labels,
            drop_remainder,
        )

    def compile(self, model, optimizer, data, **kwargs):
        """Compiles and builds a model, as fast as the strategy allows."""
        most = 100 if self.config.strategy == "none" else 1
        model.compile(
            optimizer, steps_per_execution=steps_at_once(data, most), **kwargs
        )
        model.build((None, *data.event_shape))

    # === Training ===

    def fit(
        self,
        model,
        data,
        monitor="val_neg_elbo",
        extra=(),
        stage=None,
        epochs=None,
    ):
        """Trains in the run directory, from the last backup if there is one.

        Args:
            model: compiled and built, made in the scope of the strategy: one
                of this library, or a Keras classifier (then `data` have
                labels).
            data: `Data`.
            monitor: str, the log whose smallest value marks the best epoch;
                None: the last epoch is taken.
            extra: further callbacks, whose logs reach history.csv.
            stage: None, or str: the folder, inside the run directory, of a
                recipe that trains several models. One that was trained to
                the end is not trained again.
            epochs: int; default: that of the settings.

        Returns:
            The model of the best epoch, read back from best.keras; without a
            stage, None in a worker that is not the chief.

        Raises:
            ValueError: If the run directory is another run's, or held.
            OSError: If a folder cannot be written.
            NonFiniteError: If training leaves the finite numbers.
        """
        self.chief = is_chief(model)
        if self.path is None:
            self._open()
        path = self.path / (stage or "")
        epochs = epochs or self.config.epochs
        if monitor is not None and data.validation is None:
            monitor = monitor.removeprefix("val_")
        watching = self._watching(model, data, monitor, path, epochs, extra)
        backup = callbacks.ExactBackup(path / "backup", watching)
        epoch = backup.restore(model)
        if self.chief:
            watching.append(
                keras.callbacks.TensorBoard(path / "logs", write_graph=False)
            )
        if self.chief:
            over = backup.stopped or epoch >= epochs
            print(self._beginning(path, epoch, epochs, over), flush=True)
        model.fit(
            data.train(epoch),
            epochs=epoch if backup.stopped else epochs,
            initial_epoch=epoch,
            steps_per_epoch=data.steps_per_epoch,
            validation_data=data.validation,
            callbacks=[*watching, backup],
            # A data set has its own order; Keras warns of its own default.
            shuffle=False,
            verbose="auto" if self.chief else 0,
        )
        self.history = self.histories[stage] = model.history.history
        self._trained = time.perf_counter()
        self._training += sum(self.history["seconds"][epoch:])
        if stage is not None:
            # All go on with the model.
            self.wait_for_chief()
        elif not self.chief:
            return None
        with self._scope_of_chief():
            return load_best(path / "best.keras")

    def wait_for_chief(self):
        """Returns when all workers are here: the chief's files are written."""
        if self.config.strategy == "multiworker":
            process.meet(self.strategy)

    def _open(self):
        config = self.config
        self.path = pathlib.Path(
            config.out or next_free(pathlib.Path("runs") / self.recipe)
        )
        if not self.chief:
            return
        directory = RunDirectory(self.path).__enter__()
        self._directory = directory
        settings = dataclasses.asdict(config)
        directory.check(self.recipe, settings, config.resume)
        self._try_exports()
        directory.claim(self.recipe, settings, config.resume)

    def _try_exports(self):
        """Hours of training should not end at a folder without permission."""
        folders = [self._exports, *self._exports.parents]
        try:
            made = [folder for folder in folders if not folder.exists()]
            self._exports.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryDirectory(prefix=".", dir=self._exports).cleanup()
        except OSError as error:
            raise OSError(
                error.errno,
                "the folder of exported models, `saved_models`, cannot be "
                f"written: {error.strerror}",
                str(self._exports),
            ) from error
        # A folder without a version is no model. Another run may have one.
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()

    @property
    def _exports(self):
        return pathlib.Path(self.config.saved_models) / self.recipe

    def _scope_of_chief(self):
        """The other workers take no part in what follows the training."""
        if self.config.strategy == "multiworker":
            return contextlib.nullcontext()
        return self.strategy.scope()

    def _beginning(self, path, epoch, epochs, over):
        """What is trained next, as several models may be, one after another."""
        if over:
            return f"\n{path}: trained before"
        number = "1 epoch" if epochs == 1 else f"{epochs} epochs"
        after = f", after epoch {epoch}" if epoch else ""
        return f"\n{path}: training of {number} on {self.config.data}{after}"

    def _watching(self, model, data, monitor, path, epochs, extra):
        """Callbacks: who changes weights or logs comes before who reads."""
        watching = [_Seconds()]
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        if optimizer.use_ema:
            watching.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
        # The code of a mixture is an index: it decodes to nothing. Sequences
        # have beliefs, and no code.
        has_codes = hasattr(model, "decode") and hasattr(model, "encode")
        if (
            has_codes
            and hasattr(model, "posterior")
            and data.validation is not None
        ):
            watching.append(
                callbacks.PosteriorCollapseAlarm(
                    inputs(data.validation), patience=max(5, epochs // 10)
                )
            )
        watching += [
            *extra,
            callbacks.HistoryCSV(path / "history.csv"),
            SaveBest(path / "best.keras", monitor),
        ]
        if not has_codes:
            return watching
        logs = path / "logs"
        x, labels = data.examples(1000)
        if is_image_batch(x):
            watching.append(
                callbacks.ImageGrid(
                    x[:20],
                    every=max(1, epochs // 10),
                    log_dir=logs / "images",
                    image_dir=path / "figures" / "training",
                )
            )
        if not hasattr(model, "encode_indices"):
            watching.append(
                callbacks.EmbeddingProjector(x, labels, log_dir=logs)
            )
        return watching

    # === Results ===

    def draw(self, model, data):
        """Figures of a model with `encode` and `reconstruct`."""
        x, labels = data.examples(5000)
        codes = evaluation.encode_in_batches(model, x)
        figures = {"loss_curves": self.draw_history()}
        if is_image_batch(x):
            figures["reconstructions"] = visualization.plot_reconstructions(
                model, x[:20]
            )
        if hasattr(model, "sample"):
            figures["samples"] = visualization.plot_samples(
                model, seed=self.config.seed
            )
            figures["traversals"] = visualization.plot_traversals(
                model, x[:1000]
            )
        if codes.shape[1] >= 2:
            figures["latent_map"] = visualization.plot_latent_map(codes, labels)
        for name, figure in figures.items():
            self.save_figure(name, figure)

    def draw_history(self, stage=None):
        """Figure of all terms over the epochs, of the last `fit` or a stage."""
        history = self.history if stage is None else self.histories[stage]
        return visualization.plot_history(
            {k: v for k, v in history.items() if k != "seconds"}
        )

    def save_figure(self, name, figure):
        """Writes figures/<name>.png."""
        visualization.save_figure(figure, self.path / "figures" / f"{name}.png")

    def finish(
        self,
        model,
        numbers,
        paper=None,
        note=None,
        speeds=None,
        beside="paper",
    ):
        """Exports the model, writes metrics.json, says what is where.

        Args:
            model: a model with `export_signatures`.
            numbers: dict of str to number, the results.
            paper: None, or dict of str to number: what the paper reports of
                the same quantities.
            note: None, or str: what to know when comparing.
            speeds: None, or dict of str to number: results that differ from
                machine to machine, and from run to run.
            beside: str, what the numbers of `paper` are, above their column.
        """
        speeds = speeds or {}
        weights = fingerprint(model)
        exported = self._exported_before(weights)
        if exported is None:
            exported = keras_vae.export_model(model, self._exports)
        seconds = self._seconds()
        self._directory.write_json(
            "metrics.json",
            {
                "recipe": self.recipe,
                "numbers": numbers,
                "speeds": speeds,
                "paper": paper or {},
                "note": note,
                "epochs": self._epochs(),
                "seed": self.config.seed,
                "exported": str(exported),
                "weights_sha256": weights,
                "seconds": {k: round(v, 1) for k, v in seconds.items()},
                "gpus": len(tf.config.list_physical_devices("GPU")),
                **environment(),
            },
        )
        print("\n" + _table(numbers | speeds, paper or {}, beside))
        if note:
            print(note)
        self._say(exported, seconds)

    def _exported_before(self, weights):
        """The version that this run has exported of these weights, or None."""
        file = self.path / "metrics.json"
        try:
            metrics = json.loads(file.read_bytes())
            exported = pathlib.Path(metrics["exported"])
            found = (
                metrics["weights_sha256"] == weights
                and exported.parent == self._exports
                # A later one of this number is another run's.
                and exported.stat().st_mtime_ns <= file.stat().st_mtime_ns
            )
        # There is none, or anyone may have written it.
        except (OSError, ValueError, RecursionError, KeyError, TypeError):
            return None
        return exported if found else None

    def _seconds(self):
        """Wall times: training of all processes, the rest of this one."""
        now = time.perf_counter()
        train = sum(sum(h["seconds"]) for h in self.histories.values())
        return {
            "train": train,
            "evaluation": now - self._trained,
            "total": train + now - self._started - self._training,
        }

    def _epochs(self):
        epochs = {
            stage or "model": len(history["seconds"])
            for stage, history in self.histories.items()
        }
        return epochs["model"] if list(epochs) == ["model"] else epochs

    def _say(self, exported, seconds):
        print(
            "\nseconds      "
            + ", ".join(f"{k} {v:.0f}" for k, v in seconds.items())
        )
        if (self.path / "figures").is_dir():
            print(f"figures      {self.path / 'figures'}")
        print(f"numbers      {self.path / 'metrics.json'}")
        for stage in self.histories:
            folder = self.path / (stage or "")
            print(f"history      {folder / 'history.csv'}")
            print(f"best model   {folder / 'best.keras'}")
        print(f"TensorBoard  tensorboard --logdir {self.path}")
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


def _table(numbers, paper, beside):
    """Numbers in lines, those of the paper beside them."""
    names = dict.fromkeys([*numbers, *paper])
    width = max(24, *(len(name) for name in names))
    lines = [f"{'':{width}}{'here':>12}{beside:>12}"]
    for name in names:
        here, there = (_number(n.get(name)) for n in (numbers, paper))
        lines.append(f"{name:{width}}{here:>12}{there:>12}")
    return "\n".join(lines)


def _number(value):
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    # Two decimals of 0.0025 would be none.
    return f"{value:.2g}" if 0.0 < abs(value) < 0.1 else f"{value:.2f}"
