"""The alarm for units that the decoder does not use."""

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.metrics.active_units import active_units
from keras_vae.typing import Batches


class PosteriorCollapseAlarm(keras.callbacks.Callback):
    """Counts active units during training and warns of collapsed ones.

    Logs `active_units`. Units that were inactive in each of the last
    `patience` counts are named in a warning, with the remedy. It comes once
    when some units have collapsed and once when all have, and again only
    after all have recovered. Some inactive units are common and cost nothing:
    a model with more units than the data need switches them off.

    Args:
        x: Held-out inputs, or a batched `tf.data.Dataset` of them.
        every: Count after each such number of epochs. Defaults to 1.
        threshold: As in `keras_vae.metrics.active_units`. Defaults to 0.01.
        patience: Number of counts in a row before a unit is called
            collapsed. Defaults to 10: all units may look inactive at
            first.
        definition: As in `keras_vae.metrics.active_units`. Defaults to
            "variance".
        batch_size: Examples encoded at a time. Defaults to 1000.

    Raises:
        ValueError: If `every` or `patience` is not positive.

    Example:

    >>> import numpy as np
    >>> from keras_vae.callbacks import PosteriorCollapseAlarm
    >>> alarm = PosteriorCollapseAlarm(np.zeros((100, 28, 28, 1)), patience=3)
    >>> alarm.threshold
    0.01

    Reference:
        Bowman, Vilnis, Vinyals, Dai, Jozefowicz, Bengio, 2016, Generating
        Sentences from a Continuous Space, section 3.1 (KL warm-up). Kingma,
        Salimans, Jozefowicz, Chen, Sutskever, Welling, 2016, Improved
        Variational Inference with Inverse Autoregressive Flow, appendix C.8
        (free bits).
    """

    def __init__(
        self,
        x: Batches,
        every: int = 1,
        threshold: float = 0.01,
        patience: int = 10,
        definition: str = "variance",
        batch_size: int = 1000,
    ) -> None:
        super().__init__()
        self.x = x
        self.every = positive_int("every", every)
        self.threshold = threshold
        self.patience = positive_int("patience", patience)
        self.definition = definition
        self.batch_size = batch_size
        self._reset()

    def _reset(self):
        self._wait = 0
        self._severity = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._reset()

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if (epoch + 1) % self.every != 0:
            return
        result = active_units(
            self.model,
            self.x,
            definition=self.definition,
            threshold=self.threshold,
            batch_size=self.batch_size,
        )
        if logs is not None:
            logs["active_units"] = result.count
        # Number of counts in a row in which each unit was inactive.
        self._wait = np.where(result.mask, 0, np.add(self._wait, 1))
        collapsed = np.flatnonzero(self._wait >= self.patience).tolist()
        total = len(result.mask)
        # 0: no unit has collapsed, 1: some, 2: all.
        severity = int(len(collapsed) > 0) + int(len(collapsed) == total)
        if severity > self._severity:
            warnings.warn(_message(epoch, collapsed, total), stacklevel=2)
        self._severity = max(severity, self._severity) if severity else 0

    def get_state(self) -> dict[str, Any]:
        """Counts and warnings so far, for `ExactBackup`."""
        return {"wait": self._wait, "severity": self._severity}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from `state`."""
        self._wait = np.asarray(state["wait"]).astype("int64", casting="safe")
        self._severity = int(state["severity"])


def _message(epoch, collapsed, total):
    remedy = (
        "raise the weight of the KL term from 0 during the first epochs "
        "(`beta=` takes a schedule) or grant it free bits"
    )
    if len(collapsed) == total:
        return (
            f"Posterior collapse at epoch {epoch + 1}: ALL {total} latent "
            "units are inactive, the decoder ignores the code. "
            f"Remedy: {remedy}; if that does not help, use a weaker "
            "decoder or a smaller `beta`."
        )
    return (
        f"Posterior collapse at epoch {epoch + 1}: {len(collapsed)} of "
        f"{total} latent units are inactive: {collapsed}. If the model "
        f"should use them, {remedy}; if not, use a smaller `latent_dim`."
    )
