"""What a strong engineer would write for one model and nothing else."""

import keras
import tensorflow as tf

from benchmarks import dense_vae

METRICS = ("loss", "reconstruction_loss", "kl_loss", "neg_elbo")


class HandWrittenLoop:
    """Trains the dense VAE on one device, with no generality at all.

    One `tf.function` takes several steps from the iterator and updates the
    metrics that `fit` reports; they are read once, at the end of an epoch.

    Args:
        event_shape: shape of one image.
        steps_per_call: int, steps of one call of the compiled function.
        jit_compile: bool, whether XLA compiles the step.
    """

    def __init__(self, event_shape, steps_per_call, jit_compile):
        self._steps_per_call = steps_per_call
        self._encoder, self._decoder = dense_vae.networks_for(event_shape)
        self._head = keras.layers.Dense(2 * dense_vae.LATENT_DIM)
        self._head.build(self._encoder.output_shape)
        self._variables = [
            variable
            for part in (self._encoder, self._head, self._decoder)
            for variable in part.trainable_variables
        ]
        self.optimizer = keras.optimizers.Adam(dense_vae.LEARNING_RATE)
        self.optimizer.build(self._variables)
        self._metrics = [keras.metrics.Mean(name) for name in METRICS]
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
            for metric in self._metrics:
                metric.reset_state()
            for start in range(0, steps_per_epoch, self._steps_per_call):
                number = min(self._steps_per_call, steps_per_epoch - start)
                self._steps(iterator, tf.constant(number))
            self.logs = {m.name: float(m.result()) for m in self._metrics}
        return self.logs["loss"]

    def _step(self, x):
        with tf.GradientTape() as tape:
            params = self._head(self._encoder(x, training=True))
            mean, log_var = tf.split(params, 2, axis=-1)
            noise = tf.random.normal(tf.shape(mean))
            z = mean + tf.exp(0.5 * log_var) * noise
            logits = self._decoder(z, training=True)
            reconstruction = tf.reduce_sum(
                tf.nn.softplus(logits) - x * logits, axis=[1, 2, 3]
            )
            kl = 0.5 * tf.reduce_sum(
                tf.square(mean) + tf.exp(log_var) - 1.0 - log_var, axis=-1
            )
            neg_elbo = reconstruction + kl
            loss = tf.reduce_mean(neg_elbo)
        gradients = tape.gradient(loss, self._variables)
        self.optimizer.apply(gradients, self._variables)
        values = (neg_elbo, reconstruction, kl, neg_elbo)
        for metric, value in zip(self._metrics, values, strict=True):
            metric.update_state(value)
