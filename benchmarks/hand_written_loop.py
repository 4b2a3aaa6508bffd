"""What a strong engineer would write for one model and nothing else."""

import keras
import tensorflow as tf


class HandWrittenLoop:
    """Trains one objective on one device, with no generality at all.

    One `tf.function` takes several steps from the iterator and updates the
    metrics that `fit` reports; they are read once, at the end of an epoch.

    Args:
        objective: with `variables`, a list, `learning_rate`, and `terms`, a
            function of a batch that returns a dict of tensors (batch,), whose
            sum is minimised.
        steps_per_call: int, steps of one call of the compiled function.
        jit_compile: bool, whether XLA compiles the step.
    """

    def __init__(self, objective, steps_per_call, jit_compile):
        self._steps_per_call = steps_per_call
        self._objective = objective
        self.optimizer = keras.optimizers.Adam(objective.learning_rate)
        self.optimizer.build(objective.variables)
        names = ("loss", "neg_elbo", *objective.names)
        self._metrics = {name: keras.metrics.Mean(name) for name in names}
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
            batches: `tf.data.Dataset` of one epoch.
            steps_per_epoch: int, its length.
            epochs: int.
        """
        for _ in range(epochs):
            iterator = iter(batches)
            for metric in self._metrics.values():
                metric.reset_state()
            for start in range(0, steps_per_epoch, self._steps_per_call):
                number = min(self._steps_per_call, steps_per_epoch - start)
                self._steps(iterator, tf.constant(number))
            self.logs = {n: float(m.result()) for n, m in self._metrics.items()}
        return self.logs["loss"]

    def _step(self, x):
        with tf.GradientTape() as tape:
            terms = self._objective.terms(x)
            total = tf.add_n(list(terms.values()))
            loss = tf.reduce_mean(total)
        variables = self._objective.variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        values = {"loss": total, "neg_elbo": total, **terms}
        for name, metric in self._metrics.items():
            metric.update_state(values[name])
