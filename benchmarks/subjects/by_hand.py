"""What hand-written objectives are made of: TensorFlow and Keras alone."""

import math

import keras
import tensorflow as tf


class Objective:
    """The loss of one model, written out for it alone.

    A subclass must set `names` and `variables`, and override `losses`; it may
    override `groups`.

    Args:
        subject: `Subject`.

    Attributes:
        names: of the logs that `losses` returns.
        variables: list, in the order of the model's `trainable_variables`.
        metrics: Keras metrics beside the means of the logs, that `losses`
            updates and whose results are dicts.
    """

    names = ()
    metrics = ()

    def __init__(self, subject):
        self.optimizer = subject.optimizer()

    def groups(self):
        """Pairs of an optimizer and its variables, one for each loss."""
        return [(self.optimizer, self.variables)]

    def losses(self, x):
        """([scalar to minimise, for each group], dict of tensors by name).

        The tensors are (batch,) or (): the means over an epoch are logged.
        """
        raise NotImplementedError


def minimise(total, **logs):
    """What `losses` returns where the mean of `total` is minimised."""
    return [tf.reduce_mean(total)], {"loss": total, **logs}


def trainable(*layers):
    return [v for layer in layers for v in layer.trainable_variables]


def dense(width, units, activation=None, dtype=None, **kwargs):
    layer = keras.layers.Dense(units, activation, dtype=dtype, **kwargs)
    layer.build((None, width))
    return layer


# === Sums over all axes but the first: nats, or squares ===


def sum_event(values):
    return tf.reduce_sum(values, axis=list(range(1, values.shape.rank)))


def cross_entropy(logits, x):
    logits = tf.cast(logits, "float32")
    return sum_event(tf.nn.softplus(logits) - x * logits)


def normal_nats(mean, x, scale):
    error = (x - tf.cast(mean, "float32")) / scale
    constant = math.log(scale) + 0.5 * math.log(2.0 * math.pi)
    return sum_event(0.5 * tf.square(error) + constant)


# === Diagonal normal distributions ===


def draw(mean, log_var):
    return mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))


def standard_kl(mean, log_var):
    kl = tf.square(mean) + tf.exp(log_var) - 1.0 - log_var
    return 0.5 * tf.reduce_sum(kl, axis=-1)
