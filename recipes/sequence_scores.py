"""What models of sequences are judged by."""

import numpy as np
import tensorflow as tf

from keras_vae import random
from recipes import stopwatch
from recipes.sequence_data import found_directions


def mean_and_error(values):
    """Mean of independent values, and its standard error."""
    values = np.asarray(values, "float64")
    return values.mean(), values.std(ddof=1) / np.sqrt(len(values))


# === Bounds ===


def bounds(model, x, seed):
    """Nats for each step but the first, given those before: (batch,)."""
    if hasattr(model, "elbo_steps"):
        steps = model.elbo_steps(x, seed)[:, 1:]
    else:
        steps = model.elbo(x, seed=seed)
    return np.asarray(steps).mean(axis=1)


# === Moving digits ===


def directions(model, x, direction, context, num_samples, seed):
    """Whether predicted frames go on in the direction of the context.

    Args:
        model: with `rollout`.
        x: float array (batch, steps, height, width, channels).
        direction: array (batch,), 1 or -1.
        context: int, steps that the model is given.
        num_samples: int, futures of each sequence.
        seed: int.

    Returns:
        Share of futures that go in the direction of the context.
    """
    num_steps = x.shape[1] - context
    futures = model.rollout(x[:, :context], num_steps, num_samples, seed=seed)
    return float(np.mean(found_directions(futures) == direction[:, None]))


def directions_of_one_frame(model, x, num_steps, num_samples, seed):
    """Whether one frame has futures in both directions.

    Returns:
        (share of futures to the right, share of frames with futures in both
        directions)
    """
    futures = model.rollout(x[:, :1], num_steps, num_samples, seed=seed)
    found = found_directions(futures)
    both = np.any(found == 1, axis=1) & np.any(found == -1, axis=1)
    return float(np.mean(found == 1)), float(np.mean(both))


# === Oscillator ===


def root_mean_square(model_mean, truth):
    return float(np.sqrt(np.mean((model_mean - truth) ** 2)))


def coverage(samples, x, probability=0.9):
    """Share of x within the band of quantiles of samples (batch, samples)."""
    tail = (1.0 - probability) / 2.0
    low, high = np.quantile(samples, [tail, 1.0 - tail], axis=1)
    return float(np.mean((x >= low) & (x <= high)))


def seconds_of_transitions(model, dt, rows=1000, rounds=21):
    """Median seconds of one jump of `dt`, and of as many single steps.

    Both are one compiled function of a batch of states.
    """

    @tf.function
    def jump(z):
        jumps = tf.fill([rows], dt)
        return model.transit(z, random.Noise(tf.constant([0, 1])), jumps)

    @tf.function
    def single_steps(z):
        noise = random.Noise(tf.constant([0, 1]))
        return tf.while_loop(
            lambda index, _: index < dt,
            lambda index, z: (
                index + 1,
                tf.ensure_shape(model.transit(z, noise.fold(index)), z.shape),
            ),
            (0, z),
        )[1]

    z = tf.zeros([rows, sum(model.latent_dims)])
    return stopwatch.median_seconds(
        [lambda: jump(z), lambda: single_steps(z)], rounds
    )
