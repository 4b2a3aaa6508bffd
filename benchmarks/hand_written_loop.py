"""What a strong engineer would write for one model and nothing else."""

import keras
import tensorflow as tf


class HandWrittenLoop:
    """Trains one objective on one device, with no generality at all.

    One `tf.function` takes several steps from the iterator and updates the
    metrics that `fit` reports; they are read once, at the end of an epoch.

    Args:
        objective: `subjects.by_hand.Objective`.
        steps_per_call: int, steps of one call of the compiled function.
        jit_compile: bool, whether XLA compiles the step.
    """

    def __init__(self, objective, steps_per_call, jit_compile):
        self._steps_per_call = steps_per_call
        self._objective = objective
        self._groups = objective.groups()
        for optimizer, variables in self._groups:
            optimizer.build(variables)
        self._means = {n: keras.metrics.Mean(n) for n in objective.names}
        step = tf.function(
            self._step, jit_compile=jit_compile, reduce_retracing=True
        )

        @tf.function(reduce_retracing=True)
        def steps(iterator, number):
            for _ in tf.range(number):
                step(next(iterator))

        self._steps = steps

    def train(self, batches, steps_per_epoch, epochs):
        """Returns the mean loss of the last epoch.

        Args:
            batches: `tf.data.Dataset` of all epochs, or endless.
            steps_per_epoch: int.
            epochs: int.
        """
        metrics = [*self._means.values(), *self._objective.metrics]
        iterator = iter(batches)
        for _ in range(epochs):
            for metric in metrics:
                metric.reset_state()
            for start in range(0, steps_per_epoch, self._steps_per_call):
                number = min(self._steps_per_call, steps_per_epoch - start)
                self._steps(iterator, tf.constant(number))
            logs = {name: m.result() for name, m in self._means.items()}
            for metric in self._objective.metrics:
                logs |= metric.result()
            self.logs = {name: float(value) for name, value in logs.items()}
        return self.logs["loss"]

    def _step(self, x):
        # A tape that is kept is one that several losses share.
        with tf.GradientTape(persistent=len(self._groups) > 1) as tape:
            losses, logs = self._objective.losses(x)
        for loss, (optimizer, variables) in zip(
            losses, self._groups, strict=True
        ):
            gradients = tape.gradient(loss, variables)
            # Of an embedding they are slices, which Adam squares one by one.
            gradients = [tf.convert_to_tensor(g) for g in gradients]
            optimizer.apply(gradients, variables)
        for name, metric in self._means.items():
            metric.update_state(logs[name])
