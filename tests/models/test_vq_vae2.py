"""Codes at several resolutions; one level is a VQ-VAE."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from tests.models.test_vq_vae import fit

EVENT = (8, 8, 1)
D = 3


def conv(shape, filters):
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(filters, 4, 2, padding="same"),
            keras.layers.ReLU(),
        ]
    )


def networks(levels=2):
    """The same initial weights at each call."""
    keras.utils.set_random_seed(1)
    encoders = [conv(EVENT, 6), conv((4, 4, 6), 5), conv((2, 2, 5), 4)]
    upsamplers = [
        keras.Sequential([keras.Input((n, n, D)), keras.layers.UpSampling2D(2)])
        for n in (2, 1)
    ]
    inputs = [keras.Input((n, n, D)) for n in (4, 2, 1)[:levels]]
    joined = [
        keras.layers.UpSampling2D(2**level)(x) if level else x
        for level, x in enumerate(inputs)
    ]
    hidden = joined[0]
    if levels > 1:
        hidden = keras.layers.Concatenate()(joined)
    outputs = keras.layers.Conv2DTranspose(1, 4, 2, padding="same")(hidden)
    decoder = keras.Model(inputs, outputs)
    return encoders[:levels], upsamplers[: levels - 1], decoder


def vq_vae2(levels=2, num_embeddings=5, **kwargs):
    model = keras_vae.VQVAE2(
        *networks(levels), num_embeddings, D, **{"seed": 4, **kwargs}
    )
    model.build((None, *EVENT))
    return model


@pytest.fixture
def x(digits):
    return digits[:12]


def quantize(z, quantizer):
    """The nearest codes by NumPy, and the squared distance by example."""
    z = np.asarray(z, "float64")
    codebook = np.asarray(quantizer.codebook, "float64")
    indices = ((z[..., np.newaxis, :] - codebook) ** 2).sum(-1).argmin(-1)
    z_q = codebook[indices]
    return z_q, ((z - z_q) ** 2).sum((1, 2, 3))


def test_terms_follow_the_codes_from_the_top_down(x):
    model = vq_vae2(num_embeddings=[5, 4])
    fit(model, x)
    below = model.encoders[0](x)
    top, distance_top = quantize(
        model.projections[1](model.encoders[1](below)), model.quantizers[1]
    )
    upsampled = np.repeat(np.repeat(top, 2, axis=1), 2, axis=2)
    inputs = np.concatenate([below, upsampled], axis=-1).astype("float32")
    bottom, distance = quantize(
        model.projections[0](inputs), model.quantizers[0]
    )
    params = model.decoder([bottom.astype("float32"), top.astype("float32")])
    terms = model.compute_terms(tf.constant(x), None, training=False)
    expected = {
        "reconstruction_loss": np.square(params - x).sum((1, 2, 3)),
        "commitment_loss_1": distance,
        "commitment_loss_2": distance_top,
        "kl_loss_1": np.full(12, 16 * math.log(5)),
        "kl_loss_2": np.full(12, 4 * math.log(4)),
    }
    assert set(terms) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(
            terms[name], value, rtol=1e-4, atol=1e-5, err_msg=name
        )
    np.testing.assert_allclose(
        model.code_lengths(), [16 * math.log(5), 4 * math.log(4)]
    )


@pytest.mark.parametrize("ema_decay", [0.9, None])
def test_one_level_is_a_vq_vae(x, ema_decay):
    two = vq_vae2(1, ema_decay=ema_decay)
    (encoder,), _, decoder = networks(1)
    projection = keras.layers.Dense(D)
    single = keras.Input((4, 4, D))
    one = keras_vae.VQVAE(
        keras.Sequential([encoder, projection]),
        keras.Model(single, decoder([single])),
        5,
        D,
        ema_decay=ema_decay,
        seed=4,
    )
    one.build((None, *EVENT))
    projection.kernel.assign(two.projections[0].kernel)
    one.quantizer.codebook.assign(two.quantizers[0].codebook)
    of_one, of_two = fit(one, x, epochs=2), fit(two, x, epochs=2)
    for name in of_one:
        level = name
        if name not in ("loss", "neg_elbo", "reconstruction_loss"):
            level = f"{name}_1"
        np.testing.assert_allclose(of_two[level], of_one[name], rtol=1e-4)
    np.testing.assert_allclose(
        two.quantizers[0].codebook, one.quantizer.codebook, rtol=1e-4, atol=1e-6
    )


def test_three_levels(x):
    model = vq_vae2(3)
    logs = fit(model, x, validation_data=(x, x))
    assert {"val_perplexity_1", "val_perplexity_2", "val_usage_3"} <= set(logs)
    indices = model.encode_indices(x)
    assert [level.shape for level in indices] == [
        (12, 4, 4),
        (12, 2, 2),
        (12, 1, 1),
    ]
    np.testing.assert_allclose(
        model.decode_indices(indices), model.reconstruct(x), atol=1e-6
    )


def test_the_top_decides_what_the_bottom_sees(x):
    model = vq_vae2()
    before = model.encode_indices(x)
    # Another codebook at the top moves the codes of the bottom.
    model.quantizers[1].codebook.assign(
        10.0 + np.asarray(model.quantizers[1].codebook)
    )
    after = model.encode_indices(x)
    assert np.any(np.asarray(before[0]) != np.asarray(after[0]))


def test_elbo_counts_the_codes_of_all_levels(digits):
    x = (digits[:6] > 0.5).astype("float32")
    model = vq_vae2(likelihood="bernoulli")
    logits = np.asarray(model.decoder(model.encode(x)), "float64")
    log_prob = (x * logits - np.logaddexp(0, logits)).sum((1, 2, 3))
    np.testing.assert_allclose(
        model.elbo(x), log_prob - 20 * math.log(5), rtol=1e-5
    )


def test_the_policy_of_the_model_is_that_of_its_layers(x):
    nets = networks()
    options = {"code_dim": 2}

    def policies(dtype):
        model = keras_vae.VQVAE2(
            *nets, 5, D, quantizer_options=options, dtype=dtype, seed=4
        )
        model.build((None, *EVENT))
        layers = [*model.projections, *model.quantizers]
        for quantizer in model.quantizers:
            layers += [quantizer.project_in, quantizer.project_out]
        copy = keras_vae.VQVAE2.from_config(model.get_config())
        layers += [*copy.projections, *copy.quantizers]
        assert model.quantizer_options == copy.quantizer_options == options
        assert all(w.dtype == "float32" for w in model.trainable_weights)
        assert model(x).dtype == tf.float32
        return {layer.dtype_policy.name for layer in layers}

    assert policies("mixed_bfloat16") == {"mixed_bfloat16"}
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert policies("float32") == {"float32"}
    finally:
        keras.config.set_dtype_policy("float32")


def test_export_has_all_levels(x, tmp_path):
    model = vq_vae2()
    served = tf.saved_model.load(keras_vae.export_model(model, tmp_path / "m"))
    indices = served.signatures["encode_indices"](x=tf.constant(x))
    assert set(indices) == {"indices_1", "indices_2"}
    decoded = served.signatures["decode_indices"](**indices)
    np.testing.assert_allclose(
        decoded["reconstruction"], model.reconstruct(x), atol=1e-6
    )


def test_bad_input(x):
    encoders, upsamplers, decoder = networks()
    with pytest.raises(ValueError, match="upsamplers"):
        keras_vae.VQVAE2(encoders, [], decoder, 5, D)
    with pytest.raises(ValueError, match="encoders"):
        keras_vae.VQVAE2([], [], decoder, 5, D)
    with pytest.raises(ValueError, match="num_embeddings"):
        keras_vae.VQVAE2(encoders, upsamplers, decoder, [5], D)
    wrong = [keras.Sequential([keras.Input((2, 2, D))])]
    with pytest.raises(ValueError, match=r"upsamplers\[0\]"):
        keras_vae.VQVAE2(encoders, wrong, decoder, 5, D).build((None, *EVENT))
    model = vq_vae2()
    with pytest.raises(ValueError, match="list of 2"):
        model.decode_indices([np.zeros((1, 4, 4), "int32")])
    with pytest.raises(ValueError, match=r"\(batch, \*\(2, 2\)\)"):
        model.decode_indices(2 * [np.zeros((1, 4, 4), "int32")])
