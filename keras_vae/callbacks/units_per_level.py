"""KL and active units of a hierarchy, epoch by epoch."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_vae.arguments import positive_int
from keras_vae.metrics.units_by_level import units_by_level
from keras_vae.typing import Array


class UnitsPerLevel(keras.callbacks.Callback):
    """Logs the active units of each level.

    Logs `active_units_1..L`, by the KL of each unit, and `unit_kl_1..L`, the
    KL of each level in nats. They reach the history and all callbacks that
    come after this one.

    Args:
        x: Held-out examples, an array.
        every: Count after each such number of epochs. Defaults to 1. The
            logs of the epochs between repeat the last count.
        threshold: As in `keras_vae.metrics.units_by_level`.
        batch_size: Examples at a time. Defaults to 1000.

    Raises:
        ValueError: If `every` is not positive.

    Example:

    >>> import numpy as np
    >>> from keras_vae.callbacks import UnitsPerLevel
    >>> UnitsPerLevel(np.zeros((100, 28, 28, 1)), every=5).every
    5

    Reference:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, 2016, figure 5.
    """

    def __init__(
        self,
        x: Array,
        every: int = 1,
        threshold: float = 0.01,
        batch_size: int = 1000,
    ) -> None:
        super().__init__()
        self.x = x
        self.every = positive_int("every", every)
        self.threshold = threshold
        self.batch_size = batch_size
        self._counts: dict[str, Any] | None = None

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if self._counts is None or (epoch + 1) % self.every == 0:
            self._counts = self._count()
        if logs is not None:
            logs.update(self._counts)

    def _count(self):
        counts = {}
        rows = units_by_level(
            self.model, self.x, self.threshold, batch_size=self.batch_size
        )
        for row in rows:
            counts[f"active_units_{row.level}"] = row.active_kl
            counts[f"unit_kl_{row.level}"] = row.kl
        return counts

    def get_state(self) -> dict[str, Any]:
        """The last count, for `ExactBackup`."""
        return {"counts": self._counts}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from `state`."""
        counts = state["counts"]
        self._counts = None if counts is None else dict(counts)
