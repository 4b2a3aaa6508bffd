"""A dense VAE to measure: 784-512-512-50, Bernoulli."""

import keras
import tensorflow as tf

import keras_vae
from keras_vae import networks

UNITS = (512, 512)
LATENT_DIM = 50
LEARNING_RATE = 1e-3


def networks_for(event_shape):
    """Encoder (without its head) and decoder, as (keras.Model, keras.Model)."""
    return (
        networks.mlp_encoder(event_shape, UNITS),
        networks.mlp_decoder(LATENT_DIM, event_shape, UNITS),
    )


def model_for(event_shape):
    """The library's model, not compiled."""
    encoder, decoder = networks_for(event_shape)
    return keras_vae.VAE(encoder, decoder, LATENT_DIM, seed=0)


class Objective:
    """The same by hand, see `HandWrittenLoop`."""

    names = ("reconstruction_loss", "kl_loss")
    learning_rate = LEARNING_RATE

    def __init__(self, event_shape):
        self._encoder, self._decoder = networks_for(event_shape)
        self._head = keras.layers.Dense(2 * LATENT_DIM)
        self._head.build(self._encoder.output_shape)
        self.variables = [
            variable
            for part in (self._encoder, self._head, self._decoder)
            for variable in part.trainable_variables
        ]

    def terms(self, x):
        params = self._head(self._encoder(x, training=True))
        mean, log_var = tf.split(params, 2, axis=-1)
        z = mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))
        logits = self._decoder(z, training=True)
        kl = tf.square(mean) + tf.exp(log_var) - 1.0 - log_var
        return {
            "reconstruction_loss": tf.reduce_sum(
                tf.nn.softplus(logits) - x * logits, axis=[1, 2, 3]
            ),
            "kl_loss": 0.5 * tf.reduce_sum(kl, axis=-1),
        }
