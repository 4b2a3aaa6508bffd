"""A mixture of ten normals of ten dimensions, full covariances."""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import keras_vae
from benchmarks.subjects import by_hand
from benchmarks.subjects.subject import Subject
from benchmarks.subjects.subject import training
from recipes import gaussian_mixture


class GaussianMixture(Subject):
    """The sizes of the recipe for digits."""

    defaults = gaussian_mixture.Config()
    event_shape = (10,)
    examples = 126_000

    def arrays(self, num):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(num, *self.event_shape))
        return training(x.astype("float32"))

    def model(self):
        sizes = self.sizes
        return keras_vae.GaussianMixture(
            sizes.num_components,
            *self.event_shape,
            variance_floor=sizes.variance_floor,
            seed=sizes.seed,
        )

    def objective(self):
        return MixtureObjective(self)


class MixtureObjective(by_hand.Objective):
    """Cholesky factors of L L' + floor I, these in float64 as the model's."""

    names = ("loss", "neg_elbo", "neg_log_likelihood")

    def __init__(self, subject):
        super().__init__(subject)
        sizes, (dim,) = subject.sizes, subject.event_shape
        num = sizes.num_components
        self._floor = sizes.variance_floor * tf.eye(dim, dtype="float64")
        self._constant = 0.5 * dim * math.log(2.0 * math.pi)
        self._logits, self._means, self._factors = self.variables = [
            keras.Variable(tf.random.normal(shape))
            for shape in ((num,), (num, dim), (num, dim * (dim + 1) // 2))
        ]

    def losses(self, x):
        factors = tf.cast(self._factors.value, "float64")
        factors = tfp.math.fill_triangular(factors)
        diagonal = tf.exp(tf.linalg.diag_part(factors))
        factors = tf.linalg.set_diag(factors, diagonal)
        covariances = tf.matmul(factors, factors, transpose_b=True)
        scales = tf.linalg.cholesky(covariances + self._floor)
        scales = tf.cast(scales, "float32")
        error = x[tf.newaxis] - self._means.value[:, tf.newaxis]
        error = tf.linalg.triangular_solve(
            scales, tf.transpose(error, [0, 2, 1])
        )
        nats = 0.5 * tf.reduce_sum(tf.square(error), axis=1)
        log_det = tf.reduce_sum(
            tf.math.log(tf.linalg.diag_part(scales)), axis=-1
        )
        log_weights = tf.nn.log_softmax(self._logits.value) - log_det
        log_joint = log_weights[:, tf.newaxis] - nats
        loss = self._constant - tf.reduce_logsumexp(log_joint, axis=0)
        return by_hand.minimise(loss, neg_elbo=loss, neg_log_likelihood=loss)
