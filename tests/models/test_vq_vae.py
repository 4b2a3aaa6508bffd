"""The bound counts the codes, the limits are those of an autoencoder."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import likelihoods

EVENT = (8, 8, 1)
K, D = 5, 3


def conv(*args, **kwargs):
    return keras.layers.Conv2D(*args, padding="same", **kwargs)


def networks(channels=1, dim=D):
    """The same initial weights at each call."""
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential(
        [keras.Input(EVENT), conv(6, 4, 2, activation="relu"), conv(dim, 4, 2)]
    )
    decoder = keras.Sequential(
        [
            keras.Input((2, 2, dim)),
            keras.layers.UpSampling2D(4),
            conv(6, 3, activation="relu"),
            conv(channels, 3),
        ]
    )
    return encoder, decoder


def vq_vae(*args, built=True, **kwargs):
    model = keras_vae.VQVAE(*networks(), K, D, *args, **{"seed": 4, **kwargs})
    if built:
        model.build((None, *EVENT))
    return model


@pytest.fixture
def x(digits):
    return digits[:12]


def fit(model, x, **kwargs):
    model.compile(keras.optimizers.SGD(1e-3, momentum=0.9))
    return model.fit(
        x, batch_size=4, shuffle=False, verbose=0, **kwargs
    ).history


@pytest.mark.parametrize("ema_decay", [0.9, None])
def test_terms_are_those_of_numpy(x, ema_decay):
    model = vq_vae(ema_decay=ema_decay, commitment_weight=0.5)
    logs = fit(model, x, validation_data=(x, x), epochs=2)
    last = {name[4:]: v[-1] for name, v in logs.items() if "val_" in name}
    z = np.asarray(model.encoder(x), "float64")
    codebook = np.asarray(model.quantizer.codebook, "float64")
    distances = ((z[..., np.newaxis, :] - codebook) ** 2).sum(-1)
    indices = distances.argmin(-1)
    z_q = codebook[indices]
    distance = ((z - z_q) ** 2).sum((1, 2, 3)).mean()
    error = ((np.asarray(model.decoder(z_q)) - x) ** 2).sum((1, 2, 3)).mean()
    np.testing.assert_allclose(last["reconstruction_loss"], error, rtol=1e-4)
    np.testing.assert_allclose(last["commitment_loss"], distance, rtol=1e-4)
    np.testing.assert_allclose(last["kl_loss"], 4 * math.log(K), rtol=1e-6)
    expected = error + 0.5 * distance
    if ema_decay is None:
        np.testing.assert_allclose(last["codebook_loss"], distance, rtol=1e-4)
        expected += distance
    else:
        assert "codebook_loss" not in last
    np.testing.assert_allclose(last["loss"], expected, rtol=1e-4)
    # The codes are part of every bound, at any weight.
    np.testing.assert_allclose(
        last["neg_elbo"], error + 4 * math.log(K), rtol=1e-4
    )
    share = np.bincount(indices.ravel(), minlength=K) / indices.size
    entropy = -sum(p * math.log(p) for p in share if p > 0)
    np.testing.assert_allclose(last["perplexity"], math.exp(entropy), rtol=1e-4)
    np.testing.assert_allclose(last["usage"], np.mean(share > 0), rtol=1e-6)


def test_indices_and_vectors_are_two_names_of_a_code(x):
    model = vq_vae()
    indices = model.encode_indices(x)
    assert indices.shape == (12, 2, 2) and indices.dtype == "int32"
    z = model.encode(x)
    np.testing.assert_array_equal(model.quantizer.lookup(indices), z)
    np.testing.assert_array_equal(
        model.decode(z), model.decode_indices(indices)
    )
    np.testing.assert_array_equal(model.reconstruct(x), model.decode(z))


def test_elbo_is_the_likelihood_less_the_code(digits):
    x = (digits[:6] > 0.5).astype("float32")
    model = vq_vae("bernoulli")
    logits = np.asarray(model.decoder(model.encode(x)), "float64")
    log_prob = (x * logits - np.logaddexp(0, logits)).sum((1, 2, 3))
    np.testing.assert_allclose(
        model.elbo(x, batch_size=4), log_prob - 4 * math.log(K), rtol=1e-5
    )
    np.testing.assert_allclose(model.code_lengths(), [4 * math.log(K)])
    model.compile("sgd")
    logs = model.evaluate(x, verbose=0, return_dict=True)
    np.testing.assert_allclose(
        logs["neg_elbo"], -model.elbo(x).mean(), rtol=1e-5
    )


def test_an_unnormalised_likelihood_has_no_elbo(x):
    with pytest.raises(ValueError, match="normalised"):
        vq_vae().elbo(x)


def test_one_code_for_each_vector_is_the_autoencoder(x):
    # Codes that sit on the vectors themselves quantise nothing.
    encoder, decoder = networks()
    autoencoder = keras_vae.Autoencoder(encoder, decoder)
    model = keras_vae.VQVAE(
        encoder,
        decoder,
        16,
        D,
        quantizer_options={"init_batches": 0, "dead_threshold": 0.0},
    )
    model.build((None, *EVENT))
    vectors = tf.reshape(encoder(x[:4]), [16, D])
    model.quantizer.codebook.assign(vectors)
    np.testing.assert_allclose(
        model.reconstruct(x[:4]), autoencoder.reconstruct(x[:4]), atol=1e-5
    )
    terms = model.compute_terms(tf.constant(x[:4]), None, training=False)
    expected = autoencoder.compute_terms(tf.constant(x[:4]), None, False)
    np.testing.assert_allclose(terms["commitment_loss"], 0.0, atol=1e-8)
    np.testing.assert_allclose(
        terms["reconstruction_loss"],
        expected["reconstruction_loss"],
        rtol=1e-4,
    )


def test_without_commitment_the_encoder_sees_only_the_reconstruction(x):
    # Straight-through: the decoder's gradient at z_q is that of z.
    model = vq_vae(commitment_weight=0.0)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        terms = model.compute_terms(x, None, training=False)
        loss = tf.reduce_sum(terms["reconstruction_loss"])
    gradient = tape.gradient(loss, model.encoder.trainable_weights[-1].value)
    with tf.GradientTape() as tape:
        z_q = model.encode(x)
        tape.watch(z_q)
        error = tf.reduce_sum(tf.square(model.decoder(z_q) - x))
    expected = tf.reduce_sum(tape.gradient(error, z_q), axis=(0, 1, 2))
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


def test_training_lowers_the_error_and_uses_the_codes(digits):
    keras.utils.set_random_seed(0)
    likelihood = likelihoods.Normal(0.3)
    model = keras_vae.VQVAE(
        *networks(), 32, D, likelihood, ema_decay=0.95, seed=4
    )
    model.compile(keras.optimizers.Adam(3e-3))
    history = model.fit(
        digits[:512], batch_size=32, epochs=20, verbose=0
    ).history
    assert history["usage"][-1] > 0.9
    mean = np.square(digits - digits[:512].mean(0)).sum((1, 2, 3)).mean()
    error = np.square(model.reconstruct(digits) - digits).sum((1, 2, 3)).mean()
    assert error < 0.7 * mean


def test_export_has_indices(x, tmp_path):
    model = vq_vae()
    served = tf.saved_model.load(keras_vae.export_model(model, tmp_path / "m"))
    indices = served.signatures["encode_indices"](x=tf.constant(x))["indices"]
    np.testing.assert_array_equal(indices, model.encode_indices(x))
    decoded = served.signatures["decode_indices"](indices=indices)
    np.testing.assert_allclose(
        decoded["reconstruction"], model.reconstruct(x), atol=1e-6
    )
    codes = served.signatures["encode"](x=tf.constant(x))["z"]
    np.testing.assert_allclose(codes, model.encode(x), atol=1e-6)


def test_bad_input(x):
    model = vq_vae()
    with pytest.raises(ValueError, match=r"\(batch, \*\(2, 2\)\)"):
        model.decode_indices(np.zeros((1, 3, 2), "int32"))
    with pytest.raises(ValueError, match=r"\[0, 5\)"):
        model.decode_indices(np.full((1, 2, 2), K))
    with pytest.raises(ValueError, match="embedding_dim=4"):
        keras_vae.VQVAE(*networks(), K, 4).build((None, *EVENT))
    with pytest.raises(ValueError, match="num_embeddings"):
        keras_vae.VQVAE(*networks(), 1, D)
    with pytest.raises(ValueError, match="decoder"):
        keras_vae.VQVAE(networks()[0], networks(dim=2)[1], K, D)
