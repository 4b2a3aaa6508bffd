"""The model that the benchmarks measure: 784-512-512-50, Bernoulli."""

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


def vae_for(event_shape):
    encoder, decoder = networks_for(event_shape)
    return keras_vae.VAE(encoder, decoder, LATENT_DIM, seed=0)
