"""The best model so far, as a file that is never half written; its reading."""

import pathlib

import keras

from keras_vae.callbacks.writing import atomic_path
from keras_vae.callbacks.writing import is_chief


class SaveBest(keras.callbacks.Callback):
    """Saves the model whenever a log has its smallest value yet.

    As Keras's `ModelCheckpoint(save_best_only=True)`, but written beside and
    renamed: a process killed while it writes, or a full disk, leaves the
    earlier file.

    Args:
        path: The .keras file.
        monitor: str, the log; None: the last epoch counts as the best.
    """

    def __init__(self, path, monitor):
        super().__init__()
        self.path = pathlib.Path(path)
        self.monitor = monitor
        # `ExactBackup` keeps these two.
        self.best = float("inf")
        self.best_epoch = None

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor is not None:
            if logs[self.monitor] >= self.best:
                return
            self.best = float(logs[self.monitor])
        self.best_epoch = epoch
        if not is_chief(self.model):
            return
        with atomic_path(self.path) as draft:
            self.model.save(draft)


def load_best(path):
    """The model that `SaveBest` has written, without trusting the file.

    In Keras's safe mode: no code of the file is run, and no module is
    imported that the file names.

    Args:
        path: The .keras file.

    Raises:
        OSError: If it cannot be opened.
        ValueError: If it is damaged, or no such model; it names the file.
    """
    path = pathlib.Path(path)
    path.open("rb").close()
    try:
        return keras.saving.load_model(path, safe_mode=True)
    # What anyone may have written can fail in any way.
    except Exception as error:
        raise ValueError(
            f"The model cannot be loaded: {error}. Received: {path}"
        ) from error
