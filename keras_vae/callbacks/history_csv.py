"""The logs of all epochs as a table."""

import csv
import io
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import keras

from keras_vae.callbacks.writing import atomic_file
from keras_vae.callbacks.writing import is_chief
from keras_vae.typing import PathLike


class HistoryCSV(keras.callbacks.Callback):
    """Writes the logs of all epochs so far to a CSV file, after each epoch.

    The file is rewritten, atomically: a reader never sees half a row, and a
    run resumed by `ExactBackup` has each epoch once. Epochs count from 0, as
    in `keras.callbacks.CSVLogger`; a value that an epoch lacks (no
    validation, say) is empty.

    Args:
        path: The file.

    Example:

    >>> from keras_vae.callbacks import HistoryCSV
    >>> HistoryCSV("run/history.csv").path
    'run/history.csv'
    """

    def __init__(self, path: PathLike) -> None:
        super().__init__()
        self.path = path
        self._rows: list[dict[str, Any]] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._rows = []

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self._rows.append({"epoch": epoch, **(logs or {})})
        if is_chief(self.model):
            self._write()

    def get_state(self) -> list[dict[str, Any]]:
        """The rows so far, for `ExactBackup`."""
        return self._rows

    def set_state(self, state: Iterable[Mapping[str, Any]]) -> None:
        """Goes on after the rows of `state`."""
        self._rows = [dict(row) for row in state]

    def _write(self):
        columns = dict.fromkeys(name for row in self._rows for name in row)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        with atomic_file(self.path) as file:
            file.write(text.getvalue().encode())
