"""Tiny models that train in a moment."""

import keras

import keras_vae


def tiny_vae(
    dropout=0.0,
    latent_dim=3,
    units=16,
    optimizer="adam",
    run_eagerly=True,
    **kwargs,
):
    """A compiled VAE of digits, with dropout in its encoder.

    Tracing takes longer than the few steps that most tests make.
    """
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(units, "relu"),
            keras.layers.Dropout(dropout),
        ]
    )
    decoder = keras_vae.networks.mlp_decoder(latent_dim, (8, 8, 1), (units,))
    kwargs.setdefault("seed", 0)
    model = keras_vae.VAE(encoder, decoder, latent_dim, **kwargs)
    model.build((None, 8, 8, 1))
    model.compile(optimizer, jit_compile=False, run_eagerly=run_eagerly)
    return model
