"""Beta-VAEs of 16x16 sprites: capacity, total correlation, discriminator."""

import math

import keras
import tensorflow as tf

from benchmarks.subjects import by_hand
from benchmarks.subjects.subject import Subject
from benchmarks.subjects.vae import VAEObjective
from keras_vae import networks
from recipes import beta_vae_higgins2017

# Of the training set, in the weights of the total correlation.
NUM_EXAMPLES = 2000


class BetaVAE(Subject):
    """An objective of the recipe, by name."""

    defaults = beta_vae_higgins2017.Config(
        objective="capacity", discriminator_units=(1000,) * 3
    )
    event_shape = (16, 16, 1)
    examples = 20_000

    def model(self):
        return beta_vae_higgins2017.build(
            self.sizes, self.data(), NUM_EXAMPLES, self.sizes.beta
        )

    def objective(self):
        sizes = self.sizes
        parts = (
            networks.mlp_encoder(self.event_shape, sizes.units),
            networks.mlp_decoder(
                sizes.latent_dim, self.event_shape, sizes.units[::-1], "tanh"
            ),
        )
        return OBJECTIVES[sizes.objective](self, parts)


class CapacityObjective(VAEObjective):
    """gamma |mean KL - C|, C rising along a line."""

    names = (*VAEObjective.names, "capacity_loss")

    def __init__(self, subject, networks):
        super().__init__(subject, networks)
        sizes, steps = subject.sizes, subject.data().steps_per_epoch
        self._gamma, self._capacity = sizes.gamma, sizes.capacity
        self._rise = float(round(sizes.rising * sizes.epochs * steps))

    def losses(self, x):
        mean, log_var = self.moments(x)
        loss = self.reconstruction_loss(by_hand.draw(mean, log_var), x)
        kl = by_hand.standard_kl(mean, log_var)
        step = tf.cast(self.optimizer.iterations, "float32")
        capacity = self._capacity * tf.minimum(step / self._rise, 1.0)
        distance = tf.abs(tf.reduce_mean(kl) - capacity)
        return by_hand.minimise(
            loss + self._gamma * distance,
            neg_elbo=loss + kl,
            reconstruction_loss=loss,
            kl_loss=kl,
            capacity_loss=distance,
        )


class WeightedObjective(VAEObjective):
    """The KL in three parts, log q(z) estimated from the batch."""

    names = (
        *VAEObjective.names,
        "mutual_information_loss",
        "total_correlation_loss",
        "dimension_kl_loss",
    )

    def __init__(self, subject, networks):
        super().__init__(subject, networks)
        self._beta = subject.sizes.beta

    def losses(self, x):
        mean, log_var = self.moments(x)
        z = by_hand.draw(mean, log_var)
        loss = self.reconstruction_loss(z, x)
        kl = by_hand.standard_kl(mean, log_var)
        # Constants -log(2 pi) / 2 of each unit are left out where they cancel.
        error = (z[:, tf.newaxis] - mean) * tf.exp(-0.5 * log_var)
        log_q = -0.5 * (tf.square(error) + log_var)
        own = tf.square(z - mean) * tf.exp(-log_var) + log_var
        log_own = -0.5 * tf.reduce_sum(own, axis=-1)
        batch = tf.cast(tf.shape(x)[0], "float32")
        constant = math.log(NUM_EXAMPLES) + tf.math.log(batch)
        log_joint = tf.reduce_logsumexp(tf.reduce_sum(log_q, -1), axis=1)
        log_joint -= constant
        log_units = tf.reduce_logsumexp(log_q, axis=1) - constant
        log_product = tf.reduce_sum(log_units, axis=-1)
        log_prior = -0.5 * tf.reduce_sum(tf.square(z), axis=-1)
        information = log_own - log_joint
        correlation = log_joint - log_product
        rest = log_product - log_prior
        return by_hand.minimise(
            loss + information + self._beta * correlation + rest,
            neg_elbo=loss + kl,
            reconstruction_loss=loss,
            kl_loss=kl,
            mutual_information_loss=information,
            total_correlation_loss=correlation,
            dimension_kl_loss=rest,
        )


class DiscriminatorObjective(VAEObjective):
    """The total correlation by a discriminator with its own optimizer."""

    names = (
        *VAEObjective.names,
        "total_correlation_loss",
        "discriminator_loss",
    )

    def __init__(self, subject, parts):
        super().__init__(subject, parts)
        sizes = subject.sizes
        self._beta = sizes.beta
        self._discriminator = networks.mlp_decoder(
            sizes.latent_dim, (1,), sizes.discriminator_units, "leaky_relu"
        )
        self._second = keras.optimizers.Adam(1e-4, beta_1=0.5, beta_2=0.9)

    def groups(self):
        return [
            *super().groups(),
            (self._second, self._discriminator.trainable_variables),
        ]

    def losses(self, x):
        mean, log_var = self.moments(x)
        z = by_hand.draw(mean, log_var)
        loss = self.reconstruction_loss(z, x)
        kl = by_hand.standard_kl(mean, log_var)
        order = tf.argsort(tf.random.uniform(tf.shape(z)), axis=0)
        columns = tf.range(z.shape[1]) + tf.zeros_like(order)
        index = tf.stack([order, columns], axis=-1)
        shuffled = tf.gather_nd(tf.stop_gradient(z), index)
        real = self._logits(z)
        false = self._logits(shuffled)
        second = 0.5 * (tf.nn.softplus(-real) + tf.nn.softplus(false))
        first = loss + kl + self._beta * real
        return [tf.reduce_mean(first), tf.reduce_mean(second)], {
            "loss": first + second,
            "neg_elbo": loss + kl,
            "reconstruction_loss": loss,
            "kl_loss": kl,
            "total_correlation_loss": real,
            "discriminator_loss": second,
        }

    def _logits(self, z):
        logits = self._discriminator(z, training=True)
        return tf.cast(logits[:, 0], "float32")


OBJECTIVES = {
    "capacity": CapacityObjective,
    "weighted": WeightedObjective,
    "discriminator": DiscriminatorObjective,
}
