"""One value per example of a whole data set, batch by batch."""

from collections.abc import Callable
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_vae import data_checks
from keras_vae.arguments import positive_int
from keras_vae.models.convolutions import accept_no_examples
from keras_vae.typing import Array


class BatchFunctions:
    """Compiled functions of a model, kept so that they are traced once.

    A plain object: Keras and TensorFlow would track a dict of functions.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._strategy = model.distribute_strategy
        self._functions: dict[str, Callable[..., tf.Tensor]] = {}

    def map(
        self,
        name: str,
        function: Callable[..., tf.Tensor],
        x: Array,
        batch_size: int,
        args: Sequence[tf.Tensor] = (),
        verbose: int | str = 0,
    ) -> Array:
        """`function(rows, index, *args)` over batches of x, on all replicas.

        Args:
            name: str, key of the compiled function.
            function: from a batch of rows, the batch's number (int32 scalar)
                and `args` to a tensor with one row for each.
            x: array (n, ...).
            batch_size: int, rows of the global batch.
            args: tensors passed on.
            verbose: 1 for a progress bar, "auto": only if it takes a while.

        Returns:
            NumPy array (n, ...).

        Raises:
            ValueError: if there are no rows, or `batch_size` is not positive.
        """
        batch_size = positive_int("batch_size", batch_size)
        data_checks.check_not_empty(x, "x")
        if name not in self._functions:
            self._functions[name] = self._compile(function, x, args)
        run = self._functions[name]
        starts = range(0, len(x), batch_size)
        bar = None
        if verbose == 1 or (verbose == "auto" and len(starts) > 20):
            bar = keras.utils.Progbar(len(starts), unit_name="batch")
        results = []
        for index, start in enumerate(starts):
            rows = self._distribute(x[start : start + batch_size])
            result = run(rows, tf.constant(index), args)
            results.append(self._strategy.gather(result, axis=0).numpy())
            if bar is not None:
                bar.update(index + 1)
        return np.concatenate(results)

    def _compile(self, function, x, args):
        strategy = self._strategy
        if strategy.num_replicas_in_sync > 1:
            accept_no_examples(self._model)

        @tf.function(reduce_retracing=True)
        def run(rows, index, args):
            return strategy.run(function, args=(rows, index, *args))

        if strategy.num_replicas_in_sync > 1:
            return run
        # One trace for batches of all sizes.
        rows = tf.TensorSpec((None, *x.shape[1:]), x.dtype)
        return run.get_concrete_function(
            rows,
            tf.TensorSpec((), "int32"),
            tuple(tf.TensorSpec(arg.shape, arg.dtype) for arg in args),
        )

    def _distribute(self, rows):
        """Neighbouring rows to each replica, so that order is kept."""
        replicas = self._strategy.num_replicas_in_sync
        if replicas == 1:
            return tf.constant(rows)
        share = -(-len(rows) // replicas)

        def part(context):
            first = context.replica_id_in_sync_group * share
            return tf.constant(rows[first : first + share])

        return self._strategy.experimental_distribute_values_from_function(part)
