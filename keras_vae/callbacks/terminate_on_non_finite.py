"""The guard against NaN."""

import threading
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.callbacks.non_finite_error import NonFiniteError

# Sums of terms: named only when no term explains them.
_SUMS = ("loss", "neg_elbo")


class TerminateOnNonFinite(keras.callbacks.Callback):
    """Stops training at the first term that is NaN or infinite.

    The error names the terms and the step. After each step it reads the logs
    that Keras hands out anyway; at the end of an epoch it also looks at the
    validation terms and at the weights, which the last step may have spoilt
    behind finite terms. `fit` of a model of this library puts it first in
    the list of callbacks, so that no later one saves a spoilt state.

    Raises:
        NonFiniteError: From `fit`, at such a term or weight.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_vae.callbacks import TerminateOnNonFinite
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = np.array([[np.inf]])
    >>> model.fit(
    ...     x, x, verbose=0, callbacks=[TerminateOnNonFinite()]
    ... )  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    keras_vae.callbacks.non_finite_error.NonFiniteError: loss is not finite ...
    """

    # Keras then reads the logs in a thread, and the next step need not wait.
    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._first: tuple[int, list[str]] | None = None

    def on_epoch_begin(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        counter = getattr(self.model, "step", None)
        if counter is None:
            counter = self.model.optimizer.iterations
        self._epoch = epoch
        self._first_step = int(keras.ops.convert_to_numpy(counter))
        self._first = None

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        names = self._non_finite_terms(logs or {})
        if not names:
            return
        with self._lock:
            # Threads may finish out of order: the earliest step is the cause.
            if self._first is None or batch < self._first[0]:
                self._first = (batch, names)
            batch, names = self._first
        step = self._first_step + batch
        raise NonFiniteError(
            f"{', '.join(names)} is not finite at step {step} (epoch "
            f"{self._epoch + 1}, batch {batch + 1}). Look for NaN or "
            "infinity in the data, lower the learning rate, or clip the "
            "gradient (`clipnorm` of the optimizer).",
            names,
            step,
        )

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        names = self._non_finite_terms(logs or {}, prefix="val_")
        if not names:
            names = [
                variable.path
                for variable in self.model.weights
                if variable.value.dtype.is_floating
                and not tf.reduce_all(tf.math.is_finite(variable.value))
            ]
        if names:
            raise NonFiniteError(
                f"{', '.join(names)} is not finite at the end of epoch "
                f"{epoch + 1}, though the terms of its training were.",
                names,
            )

    def _non_finite_terms(self, logs, prefix=""):
        terms = [*getattr(self.model, "_terms", ()), "regularization_loss"]
        names = [
            name
            for name in (prefix + term for term in [*terms, *_SUMS])
            if not np.all(np.isfinite(logs.get(name, 0.0)))
        ]
        causes = [n for n in names if n.removeprefix(prefix) not in _SUMS]
        return causes or names
