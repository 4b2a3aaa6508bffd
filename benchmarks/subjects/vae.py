"""VAEs: dense, convolutional, importance-weighted."""

import dataclasses
import math

import tensorflow as tf

import keras_vae
from benchmarks.subjects import by_hand
from benchmarks.subjects.subject import Subject
from keras_vae import networks


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of the networks and of a batch."""

    units: tuple[int, ...] = (512, 512)
    latent_dim: int = 50
    activation: str = "relu"
    num_samples: int = 1
    batch_size: int = 128
    learning_rate: float = 1e-3


class DenseVAE(Subject):
    """784-512-512-50, Bernoulli."""

    defaults = Sizes()

    def networks(self):
        """Encoder (without its head) and decoder."""
        sizes = self.sizes
        return (
            networks.mlp_encoder(
                self.event_shape, sizes.units, sizes.activation
            ),
            networks.mlp_decoder(
                sizes.latent_dim,
                self.event_shape,
                sizes.units[::-1],
                sizes.activation,
            ),
        )

    def model(self):
        return keras_vae.VAE(*self.networks(), self.sizes.latent_dim, seed=0)

    def objective(self):
        return VAEObjective(self, self.networks())


@dataclasses.dataclass(frozen=True)
class ConvolutionalSizes:
    """Of the networks and of a batch."""

    filters: tuple[int, ...] = (32, 64)
    units: tuple[int, ...] = (256,)
    latent_dim: int = 20
    batch_size: int = 128
    learning_rate: float = 1e-3


class ConvVAE(DenseVAE):
    """Two convolutions of stride 2 and a dense layer on each side."""

    defaults = ConvolutionalSizes()
    examples = 6400

    def networks(self):
        sizes = self.sizes
        return (
            networks.conv_encoder(self.event_shape, sizes.filters, sizes.units),
            networks.conv_decoder(
                sizes.latent_dim,
                self.event_shape,
                sizes.filters[::-1],
                sizes.units,
            ),
        )


class IWAE(DenseVAE):
    """The network of Burda et al., K = 5."""

    defaults = Sizes((200, 200), 50, "tanh", num_samples=5, batch_size=256)
    examples = 25_600

    def model(self):
        sizes = self.sizes
        return keras_vae.VAE(
            *self.networks(),
            sizes.latent_dim,
            num_samples=sizes.num_samples,
            objective="iwae",
            seed=0,
        )

    def objective(self):
        return IWAEObjective(self, self.networks())


class VAEObjective(by_hand.Objective):
    """One sample, Bernoulli pixels, a standard normal prior."""

    names = ("loss", "neg_elbo", "reconstruction_loss", "kl_loss")

    def __init__(self, subject, networks):
        super().__init__(subject)
        self.encoder, self.decoder = networks
        self.head = by_hand.dense(
            self.encoder.output_shape[-1],
            2 * subject.sizes.latent_dim,
            dtype="float32",
        )
        self.variables = by_hand.trainable(
            self.encoder, self.decoder, self.head
        )

    def moments(self, x):
        return tf.split(self.head(self.encoder(x, training=True)), 2, axis=-1)

    def reconstruction_loss(self, z, x):
        return by_hand.cross_entropy(self.decoder(z, training=True), x)

    def losses(self, x):
        mean, log_var = self.moments(x)
        z = by_hand.draw(mean, log_var)
        loss = self.reconstruction_loss(z, x)
        kl = by_hand.standard_kl(mean, log_var)
        return by_hand.minimise(
            loss + kl, neg_elbo=loss + kl, reconstruction_loss=loss, kl_loss=kl
        )


class IWAEObjective(VAEObjective):
    """The importance-weighted bound of K samples."""

    names = (*VAEObjective.names, "neg_iw_bound")

    def __init__(self, subject, networks):
        super().__init__(subject, networks)
        self._num = subject.sizes.num_samples

    def losses(self, x):
        mean, log_var = self.moments(x)
        noise = tf.random.normal([self._num, *tf.unstack(tf.shape(mean))])
        z = mean + tf.exp(0.5 * log_var) * noise
        flat = tf.reshape(z, [-1, mean.shape[-1]])
        logits = tf.cast(self.decoder(flat, training=True), "float32")
        logits = tf.reshape(logits, [self._num, -1, *logits.shape[1:]])
        loss = tf.reduce_sum(
            tf.nn.softplus(logits) - x * logits, axis=[2, 3, 4]
        )
        # log p(z) - log q(z | x): the constants cancel.
        ratio = tf.square(noise) + log_var - tf.square(z)
        log_weights = 0.5 * tf.reduce_sum(ratio, axis=-1) - loss
        bound = tf.reduce_logsumexp(log_weights, axis=0) - math.log(self._num)
        loss = tf.reduce_mean(loss, axis=0)
        kl = by_hand.standard_kl(mean, log_var)
        return by_hand.minimise(
            -bound,
            neg_iw_bound=-bound,
            neg_elbo=loss + kl,
            reconstruction_loss=loss,
            kl_loss=kl,
        )
