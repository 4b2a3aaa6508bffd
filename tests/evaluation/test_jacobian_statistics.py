import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.evaluation import jacobian_statistics

X = np.random.default_rng(0).normal(size=(7, 6)).astype("float32")


def networks(units=(5,), activation="sigmoid"):
    return (
        keras_vae.networks.mlp_encoder((6,), units, activation),
        keras_vae.networks.mlp_decoder(units[-1], (6,), units=()),
    )


def expected(model):
    """From the derivatives of one code unit after the other."""
    x = tf.constant(X)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        z = model.encode(x)
        units = tf.unstack(z, axis=1)
    rows = np.stack([tape.gradient(unit, x) for unit in units])
    norms = np.sqrt(np.sum(rows**2, axis=(0, 2)))
    z = z.numpy()
    return np.mean(norms), np.mean((z < 0.05) | (z > 0.95))


@pytest.mark.parametrize(
    "name", ["plain", "deep", "denoising", "k_sparse", "vae"]
)
def test_against_automatic_differentiation(name):
    encoder, decoder = networks()
    if name == "plain":
        model = keras_vae.Autoencoder(encoder, decoder)
    elif name == "deep":
        model = keras_vae.Autoencoder(*networks((4, 5)))
    elif name == "denoising":
        noise = keras_vae.layers.MaskingNoise(0.5)
        model = keras_vae.DenoisingAutoencoder(
            encoder, decoder, corruption=noise
        )
    elif name == "k_sparse":
        model = keras_vae.KSparseAutoencoder(encoder, decoder, k=2)
    else:
        model = keras_vae.VAE(encoder, decoder, 5, "squared_error")
    model.build((None, 6))
    for weight in model.encoder.weights:
        weight.assign(4 * weight)
    statistics = jacobian_statistics(model, X, batch_size=3)
    norm, saturation = expected(model)
    assert 0 < norm and 0 < saturation < 1
    assert statistics.mean_norm == pytest.approx(norm, rel=1e-5)
    assert statistics.saturation == pytest.approx(saturation, abs=1e-7)


def test_contractive_and_data_sets():
    model = keras_vae.ContractiveAutoencoder(*networks((4, 5)))
    statistics = jacobian_statistics(model, X)
    norm = float(np.mean(model.jacobian_norm(X, batch_size=2)))
    assert statistics.mean_norm == pytest.approx(norm, rel=1e-5)
    data = tf.data.Dataset.from_tensor_slices((X, X)).batch(2)
    assert jacobian_statistics(model, data).mean_norm == pytest.approx(norm)


def test_empty_data_are_an_error():
    model = keras_vae.Autoencoder(*networks())
    with pytest.raises(ValueError, match="at least one example"):
        jacobian_statistics(model, X[:0])
