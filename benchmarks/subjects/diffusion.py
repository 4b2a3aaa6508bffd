"""A small U-Net, the simple loss."""

import math

import keras
import numpy as np
import tensorflow as tf

from benchmarks.subjects import by_hand
from benchmarks.subjects.subject import Subject
from benchmarks.subjects.subject import training
from keras_vae import networks
from keras_vae import schedules
from recipes import diffusion_ho2020
from recipes.data import grey_levels


class DiffusionModel(Subject):
    """The recipe's network for MNIST, with its optimizer."""

    defaults = diffusion_ho2020.Config(**diffusion_ho2020.PRESETS["mnist"])
    examples = 512

    def arrays(self, num):
        rng = np.random.default_rng(0)
        levels = grey_levels(self.sizes)
        x = rng.integers(0, levels, (num, *self.event_shape))
        return training(x.astype("float32") / (levels - 1))

    def optimizer(self):
        return keras.optimizers.Adam(
            self.sizes.learning_rate,
            global_clipnorm=1.0,
            use_ema=True,
            ema_momentum=self.sizes.ema_momentum,
        )

    def model(self):
        return diffusion_ho2020.build(self.sizes, self.event_shape)

    def objective(self):
        return DiffusionObjective(self)


class DiffusionObjective(by_hand.Objective):
    """Noise is predicted; the terms of the bound are logged."""

    names = (
        "loss",
        "neg_elbo",
        "prior_loss",
        "diffusion_loss",
        "reconstruction_loss",
        "simple_loss",
    )

    def __init__(self, subject):
        super().__init__(subject)
        sizes = subject.sizes
        self._steps = sizes.num_steps
        self._size = math.prod(subject.event_shape)
        self._half_bin = 1.0 / (grey_levels(sizes) - 1)
        self._network = networks.unet(
            subject.event_shape,
            sizes.filters,
            sizes.multipliers,
            sizes.num_residual,
            sizes.attention,
            num_groups=sizes.num_groups,
        )
        self.variables = self._network.trainable_variables
        self._set_tables(sizes.noise_schedule)

    def _set_tables(self, schedule):
        """By t = 0..T, in float64 until they are used."""
        beta = schedules.get_noise(schedule).betas(self._steps)
        beta = np.concatenate([[0.0], beta])
        signal = np.cumprod(1.0 - beta)
        noise = 1.0 - signal
        self._last = signal[-1]
        variance = np.zeros_like(beta)
        variance[1:] = beta[1:] * noise[:-1] / noise[1:]
        # KL(q || p) = constant + weight ||error of the noise||**2, t > 1.
        constant, weight = np.zeros_like(beta), np.zeros_like(beta)
        ratio = variance[2:] / beta[2:]
        constant[2:] = 0.5 * self._size * (ratio - 1.0 - np.log(ratio))
        to_x = np.sqrt(signal[1:-1]) * beta[2:] / noise[2:]
        weight[2:] = to_x**2 / (2.0 * beta[2:]) * noise[2:] / signal[2:]
        self._tables = [
            tf.constant(table, "float32")
            for table in (np.sqrt(signal), np.sqrt(noise), constant, weight)
        ]
        self._first_scale = math.sqrt(variance[2])
        self._first_error = math.sqrt(noise[1] / signal[1])

    def losses(self, x):
        x = 2.0 * x - 1.0
        batch = tf.shape(x)[0]
        place = tf.range(batch, dtype="float32") / tf.cast(batch, "float32")
        place = tf.math.floormod(tf.random.uniform([1]) + place, 1.0)
        t = tf.cast(place * self._steps, "int32")
        t = 1 + tf.minimum(t, self._steps - 1)
        alpha, sigma, constant, weight = (
            tf.gather(table, t) for table in self._tables
        )
        noise = tf.random.normal(tf.shape(x))
        x_t = alpha[:, None, None, None] * x
        x_t += sigma[:, None, None, None] * noise
        time = tf.cast(t, "float32") / self._steps
        error = self._network([x_t, time], training=True)
        error = tf.cast(error, "float32") - noise
        simple = by_hand.sum_event(tf.square(error))
        first = t == 1
        error = tf.where(first[:, None, None, None], error, 0.0)
        last = self._reconstruction_nats(x, x - self._first_error * error)
        last = tf.where(first, self._steps * last, 0.0)
        middle = self._steps * (constant + weight * simple)
        square = by_hand.sum_event(tf.square(x))
        prior = math.log(1.0 - self._last) + self._last
        prior = 0.5 * (self._last * square - prior * self._size)
        return by_hand.minimise(
            simple,
            neg_elbo=prior + middle + last,
            prior_loss=prior,
            diffusion_loss=middle,
            reconstruction_loss=last,
            simple_loss=simple,
        )

    def _reconstruction_nats(self, x, mean):
        """Bins around the levels; the outer ones reach to infinity."""

        def cdf(edge):
            scale = self._first_scale * math.sqrt(2.0)
            return 0.5 * tf.math.erfc((mean - edge) / scale)

        half = self._half_bin
        above = tf.where(x > 1.0 - half, 1.0, cdf(x + half))
        below = tf.where(x < half - 1.0, 0.0, cdf(x - half))
        share = tf.maximum(above - below, 1e-12)
        return -by_hand.sum_event(tf.math.log(share))
