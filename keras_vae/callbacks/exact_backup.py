"""Backup and restore of the whole state of a training run."""

import json
import pathlib
import re
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.callbacks.non_finite_error import NonFiniteError
from keras_vae.callbacks.writing import atomic_file
from keras_vae.callbacks.writing import is_chief
from keras_vae.callbacks.writing import remove_drafts
from keras_vae.npz import read_npz
from keras_vae.typing import PathLike

_FORMAT = 1

# What a backup holds beside its format.
_KINDS = {
    "epoch": int,
    "stopped": bool,
    "history": list,
    "names": list,
    "callbacks": list,
    "descriptions": dict,
    "variables": dict,
}

# State of Keras's own callbacks, which have no `get_state`. SwapEMAWeights
# leaves the averaged weights in the model at the end of an epoch.
_CALLBACK_STATE = (
    "best",
    "best_epoch",
    "best_weights",
    "wait",
    "stopped_epoch",
    "cooldown_counter",
    "_ema_weights_in_model",
)


class ExactBackup(keras.callbacks.Callback):
    """Backs up a training run so that it goes on as if never interrupted.

    A backup holds every variable of the model (also the states of seed
    generators, which `.keras` files leave out) and of all its optimizers, the
    number of finished epochs, the logs so far and the state of the given
    callbacks. It is one `.npz` file without pickled objects, written beside
    and renamed: a crash or a full disk leaves the earlier backups untouched.
    A state that is not finite is never written. Under
    `MultiWorkerMirroredStrategy` the chief writes and all workers restore.

    Restoring is explicit, on a built and compiled model, before `fit`. If
    `stopped` is then true (early stopping had ended the run), give `fit`
    `epochs=epoch`: callbacks end as they did, and no epoch is added.

    Args:
        path: Folder of the backups.
        callbacks: Callbacks whose state is kept: those with `get_state` and
            `set_state`, and Keras's own. They must come before this one in
            the list given to `fit`.
        every_epochs: Write after each such number of epochs. Defaults to 1.
        keep: Number of backups kept, newest first. Defaults to 2, so that a
            damaged one has a substitute.

    Raises:
        ValueError: If `every_epochs` or `keep` is not positive; from `fit`,
            if a tracked callback comes later in the list, or if `path` holds
            backups of a run that was not restored.
        OSError: From `fit`, if a backup cannot be written; it names the file.
        NonFiniteError: From `fit`, instead of writing NaN or infinity.

    Example:

    >>> import tempfile
    >>> import keras
    >>> import numpy as np
    >>> from keras_vae.callbacks import ExactBackup
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> x = np.ones((4, 1), "float32")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for epochs in (2, 3):
    ...         backup = ExactBackup(folder)
    ...         epoch = backup.restore(model)
    ...         history = model.fit(
    ...             x,
    ...             x,
    ...             verbose=0,
    ...             callbacks=[backup],
    ...             initial_epoch=epoch,
    ...             epochs=epochs,
    ...         )
    ...         print(epoch, history.epoch)
    0 [0, 1]
    2 [0, 1, 2]
    """

    def __init__(
        self,
        path: PathLike,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        every_epochs: int = 1,
        keep: int = 2,
    ) -> None:
        super().__init__()
        self.path = pathlib.Path(path)
        self.callbacks = list(callbacks)
        self.every_epochs = positive_int("every_epochs", every_epochs)
        self.keep = positive_int("keep", keep)
        self.stopped = False
        self._history: list[dict[str, Any]] = []
        self._restored: dict[str, Any] | None = None
        self._restored_from: pathlib.Path | None = None
        self._owner = False

    # === Restore ===

    def restore(self, model: keras.Model) -> int:
        """Sets `model` to the newest backup that is whole.

        The states of the callbacks follow when training begins.

        Args:
            model: The model, built and compiled.

        Returns:
            Number of finished epochs (`initial_epoch` of `fit`), 0 if there
            is no backup.

        Raises:
            ValueError: If the model is not built, or the backup is of another
                model; nothing is changed then. Also if all backups are
                damaged.
        """
        if not model.built:
            raise ValueError(
                "`model` must be built before its state can be restored. "
                f"Received: model={model}"
            )
        self._owner = True
        damaged = []
        for file in reversed(self._files()):
            try:
                state = _load(file)
            except (ValueError, OSError) as error:
                warnings.warn(
                    f"The backup {file} is damaged ({error}); trying the one "
                    "before it.",
                    stacklevel=2,
                )
                damaged.append(str(file))
                continue
            self._assign(model, state, file)
            self.stopped = state["stopped"]
            self._history = state["history"]
            self._restored = state
            self._restored_from = file
            return state["epoch"]
        if damaged:
            raise ValueError(
                "No backup is whole; start again in an empty folder. "
                f"Received: path={self.path}, damaged: {damaged}"
            )
        return 0

    def _assign(self, model, state, file):
        # All is compared before anything is changed.
        pairs = []
        groups = _variables(model)
        if list(groups) != list(state["variables"]):
            raise ValueError(
                f"The backup {file} is of another model. Expected the state "
                f"of {list(groups)}. Received: {list(state['variables'])}"
            )
        for name, variables in groups.items():
            expected = [_describe(variable) for variable in variables]
            received = state["descriptions"][name]
            if expected != received:
                raise ValueError(
                    f"The backup {file} is of another model. Expected these "
                    f"variables of {name!r} (path, shape, dtype): "
                    f"{_difference(expected, received)}. "
                    f"Received: {_difference(received, expected)}"
                )
            pairs += zip(variables, state["variables"][name])
        if [type(c).__name__ for c in self.callbacks] != state["names"]:
            raise ValueError(
                f"The backup {file} was made with other `callbacks`: "
                f"{state['names']}. Received: callbacks={self.callbacks}"
            )
        with model.distribute_strategy.scope():
            for variable, value in pairs:
                variable.assign(value)

    # === Callback ===

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        late = [c for c in self.callbacks if c.model is not model]
        if late:
            raise ValueError(
                "The callbacks that ExactBackup keeps must come before it in "
                f"the list given to `fit`. Received: callbacks={late} after it"
            )

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not self._owner and self._files():
            raise ValueError(
                "The folder holds backups of a run that was not restored: "
                "call `restore(model)` before `fit`, or choose another "
                f"folder. Received: path={self.path}"
            )
        self._owner = True
        if self._restored is None:
            self._history = []
            return
        for callback, state in zip(self.callbacks, self._restored["callbacks"]):
            try:
                _set_callback_state(callback, state)
            # It may have been written by anyone.
            except Exception as error:
                raise ValueError(
                    f"The state of {type(callback).__name__} in the backup "
                    f"{self._restored_from} cannot be restored: {error!r}. "
                    f"Received: state={state!r}"
                ) from error

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self._restore_history()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._restore_history()

    def _restore_history(self):
        # Keras's own History is the last callback and has just been cleared.
        if self._restored is None:
            return
        self._restored = None
        history = self.model.history
        for row in self._history:
            history.epoch.append(row["epoch"])
            for name, value in row["logs"].items():
                history.history.setdefault(name, []).append(value)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self._history.append({"epoch": epoch, "logs": dict(logs or {})})
        if (epoch + 1) % self.every_epochs == 0 and is_chief(self.model):
            self._write(epoch + 1)

    def _write(self, epoch):
        groups = _variables(self.model)
        values = {
            name: [keras.ops.convert_to_numpy(v) for v in variables]
            for name, variables in groups.items()
        }
        bad = [
            variable.path
            for name, variables in groups.items()
            for variable, value in zip(variables, values[name])
            if not _is_finite(value)
        ]
        if bad:
            raise NonFiniteError(
                f"{', '.join(bad)} is not finite after epoch {epoch}; no "
                f"backup of this state is made in {self.path}.",
                bad,
            )
        _save(
            self._file(epoch),
            {
                "format": _FORMAT,
                "epoch": epoch,
                "stopped": bool(self.model.stop_training),
                "history": self._history,
                "names": [type(c).__name__ for c in self.callbacks],
                "callbacks": [_callback_state(c) for c in self.callbacks],
                "descriptions": {
                    name: [_describe(v) for v in variables]
                    for name, variables in groups.items()
                },
                "variables": values,
            },
        )
        self._prune(self._file(epoch))

    def _prune(self, newest):
        files = self._files()
        # Later ones are damaged, or of a future that did not happen.
        end = files.index(newest) + 1
        for file in [*files[: max(0, end - self.keep)], *files[end:]]:
            file.unlink(missing_ok=True)
        remove_drafts(self.path)

    def _file(self, epoch):
        return self.path / f"epoch-{epoch:08d}.npz"

    def _files(self):
        return sorted(self.path.glob("epoch-*.npz"))


# === State of a run ===


def _variables(model):
    """All variables by owner, the model first."""
    if hasattr(model, "optimizers"):
        optimizers = model.optimizers()
    else:
        optimizers = {"optimizer": model.optimizer}
    groups = {"model": model.variables}
    for name, optimizer in optimizers.items():
        if not optimizer.built:
            with model.distribute_strategy.scope():
                optimizer.build(model.trainable_variables)
        groups[f"optimizer {name!r}"] = optimizer.variables
    return groups


def _describe(variable):
    # Keras numbers unnamed layers by their order in the process.
    path = re.sub(r"_\d+(?=[_/]|$)", "", variable.path)
    return [path, list(variable.shape), str(variable.dtype)]


def _difference(some, others):
    return [item for item in some if item not in others] or (
        f"{len(some)} in this order"
    )


def _is_finite(value):
    if np.issubdtype(value.dtype, np.integer) or value.dtype == bool:
        return True
    return bool(np.isfinite(value.astype("float64")).all())


def _callback_state(callback):
    if hasattr(callback, "get_state"):
        return callback.get_state()
    return {
        name: getattr(callback, name)
        for name in _CALLBACK_STATE
        if hasattr(callback, name)
    }


def _set_callback_state(callback, state):
    if hasattr(callback, "set_state"):
        callback.set_state(state)
    else:
        unknown = sorted(set(state) - set(_CALLBACK_STATE))
        if unknown:
            raise ValueError(f"no state of a callback of Keras: {unknown}")
        for name, value in state.items():
            _check_callback_value(name, value)
            setattr(callback, name, value)


def _check_callback_value(name, value):
    if name == "best_weights":
        sound = value is None or all(isinstance(v, np.ndarray) for v in value)
    else:
        number = np.asarray(0 if value is None else value)
        sound = number.ndim == 0 and number.dtype.kind in "biuf"
    if not sound:
        raise ValueError(f"{name!r} is {value!r}")


# === File ===


def _save(path, state):
    arrays = []
    manifest = json.dumps(_encode(state, arrays)).encode()
    with atomic_file(path) as file:
        np.savez(file, np.frombuffer(manifest, "uint8"), *arrays)


def _load(path):
    data = read_npz(path)
    try:
        manifest, *arrays = [data[f"arr_{i}"] for i in range(len(data))]
        state = _decode(json.loads(manifest.tobytes()), arrays)
        _check(state)
    # What anyone may have written can be wrong in any way.
    except Exception as error:
        raise ValueError(f"no backup of format {_FORMAT}: {error!r}") from error
    return state


def _check(state):
    """Raises an error if a state is not of the form that `_save` gives it."""
    if state["format"] != _FORMAT:
        raise ValueError(f"it is of format {state['format']!r}")
    for name, kind in _KINDS.items():
        if not isinstance(state[name], kind):
            raise ValueError(f"{name!r} is {state[name]!r}")
    if state["epoch"] < 0:
        raise ValueError(f"'epoch' is {state['epoch']}")
    for row in state["history"]:
        if not isinstance(row["epoch"], int) or not isinstance(
            row["logs"], dict
        ):
            raise ValueError(f"'history' has {row!r}")
    if len(state["callbacks"]) != len(state["names"]):
        raise ValueError("'callbacks' and 'names' differ in length")
    if list(state["variables"]) != list(state["descriptions"]):
        raise ValueError("'variables' and 'descriptions' differ in names")
    for name, values in state["variables"].items():
        kinds = [[list(v.shape), v.dtype.name] for v in values]
        if kinds != [kind for _, *kind in state["descriptions"][name]]:
            raise ValueError(f"variables of {name!r} are not as described")


def _encode(value, arrays):
    """JSON of nested dicts and lists; arrays go into `arrays`."""
    if isinstance(value, dict):
        return {name: _encode(item, arrays) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item, arrays) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    value = keras.ops.convert_to_numpy(value)
    # bfloat16 and its like are no NumPy types: their bytes are kept.
    arrays.append(np.ascontiguousarray(value).reshape(-1).view("uint8"))
    return {
        "__array__": len(arrays) - 1,
        "shape": list(value.shape),
        "dtype": value.dtype.name,
    }


def _decode(value, arrays):
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "__array__" not in value:
        return {name: _decode(item, arrays) for name, item in value.items()}
    dtype = tf.as_dtype(value["dtype"]).as_numpy_dtype
    return arrays[value["__array__"]].view(dtype).reshape(value["shape"])
