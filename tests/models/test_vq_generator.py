"""A VQ-VAE and the prior of its codes, as one generative model."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from tests.models.test_vq_vae import EVENT
from tests.models.test_vq_vae import D
from tests.models.test_vq_vae import K
from tests.models.test_vq_vae import vq_vae
from tests.models.test_vq_vae2 import vq_vae2

SMALL = {"num_heads": 2, "filters": 8, "num_blocks": 1, "num_residual": 1}


@pytest.fixture
def x(digits):
    return (digits[:6] > 0.5).astype("float32")


def prior(shape=(2, 2), num_embeddings=K, **kwargs):
    keras.utils.set_random_seed(2)
    return keras_vae.PixelSNAIL(
        shape, num_embeddings, **{"seed": 1, **SMALL, **kwargs}
    )


def priors(**kwargs):
    bottom = prior((4, 4), conditional=True, condition_shape=(2, 2), **kwargs)
    return [bottom, prior(**kwargs)]


def one_level():
    return keras_vae.VQGenerator(vq_vae("bernoulli"), prior(), seed=3)


def two_levels(**kwargs):
    model = vq_vae2(likelihood="bernoulli")
    return keras_vae.VQGenerator(model, priors(**kwargs), seed=3)


def test_bound_is_that_of_both_parts(x):
    generator = one_level()
    vq, snail = generator.vq_vae, generator.priors
    rate = -np.asarray(snail.log_prob(vq.encode_indices(x)))
    distortion = -np.asarray(vq.elbo(x)) - 4 * math.log(K)
    terms = generator.compute_terms(tf.constant(x), None, training=False)
    np.testing.assert_allclose(terms["kl_loss"], rate, rtol=1e-5)
    np.testing.assert_allclose(
        terms["reconstruction_loss"], distortion, rtol=1e-4
    )
    generator.compile()
    logs = generator.evaluate(x, batch_size=4, verbose=0, return_dict=True)
    np.testing.assert_allclose(
        logs["neg_elbo"], (rate + distortion).mean(), rtol=1e-5
    )


def test_a_uniform_prior_gives_the_bound_of_the_vq_vae(x):
    generator = one_level()
    for variable in generator.priors.trainable_variables:
        if "output" in variable.path:
            variable.assign(tf.zeros_like(variable))
    terms = generator.compute_terms(tf.constant(x), None, training=False)
    np.testing.assert_allclose(terms["kl_loss"], 4 * math.log(K), rtol=1e-5)


def test_the_bottom_is_conditional_on_the_top(x):
    generator = two_levels()
    bottom, top = generator.vq_vae.encode_indices(x)
    expected = generator.priors[0].log_prob(
        {"indices": bottom, "condition": top}
    ) + generator.priors[1].log_prob(top)
    np.testing.assert_allclose(
        generator.code_log_prob([bottom, top]), expected, rtol=1e-6
    )
    other = (np.asarray(top) + 1) % 5
    changed = generator.priors[0].log_prob(
        {"indices": bottom, "condition": other}
    )
    assert np.any(
        np.abs(changed + generator.priors[1].log_prob(top) - expected) > 1e-6
    )


@pytest.mark.parametrize("make", [one_level, two_levels])
def test_samples_are_decoded_codes(make):
    generator = make()
    codes = generator.sample_indices(3, seed=5)
    if len(codes) == 1:
        (codes,) = codes
    expected = generator.vq_vae.decode_indices(codes)
    samples = generator.sample(3, seed=5)
    assert samples.shape == (3, *EVENT)
    np.testing.assert_allclose(samples, expected, atol=1e-6)
    assert np.any(np.abs(samples - generator.sample(3, seed=6)) > 1e-6)


def test_labels_reach_the_priors(tmp_path):
    generator = two_levels(num_classes=3)
    label = np.array([0, 1, 2], "int32")
    samples = generator.sample(3, seed=5, label=label)
    assert samples.shape == (3, *EVENT)
    path = keras_vae.export_model(generator, tmp_path / "generator")
    served = tf.saved_model.load(path)
    out = served.signatures["sample"](
        num=tf.constant(3), seed=tf.constant([5, 0]), label=tf.constant(label)
    )
    assert out["samples"].shape == (3, *EVENT)


def test_a_bound_without_labels(x):
    generator = two_levels(num_classes=3)
    generator.compile()
    with pytest.raises(ValueError, match=r"label=None, .*num_classes=\[3, 3\]"):
        generator.evaluate(x, verbose=0)
    indices = generator.vq_vae.encode_indices(x)
    with pytest.raises(ValueError, match="`code_log_prob`.*label=None"):
        generator.code_log_prob(indices)
    label = np.zeros(len(x), "int32")
    assert generator.code_log_prob(indices, label).shape == (len(x),)


def test_one_saved_model_holds_prior_and_decoder(tmp_path):
    generator = one_level()
    path = keras_vae.export_model(generator, tmp_path / "generator")
    served = tf.saved_model.load(path)
    out = served.signatures["serving_default"](
        num=tf.constant(4), seed=tf.constant([5, 0])
    )
    np.testing.assert_allclose(
        out["samples"], generator.sample(4, seed=5), atol=1e-5
    )


def test_it_is_saved_whole(x, tmp_path):
    generator = two_levels()
    generator.save(tmp_path / "generator.keras")
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    np.testing.assert_allclose(
        loaded.sample(2, seed=1), generator.sample(2, seed=1), atol=1e-6
    )


def test_bad_input():
    model = vq_vae()
    with pytest.raises(ValueError, match="codes of shape"):
        keras_vae.VQGenerator(model, prior((3, 3)))
    with pytest.raises(ValueError, match="over 5"):
        keras_vae.VQGenerator(model, prior(num_embeddings=4))
    with pytest.raises(ValueError, match="one for each level"):
        keras_vae.VQGenerator(model, priors())
    with pytest.raises(ValueError, match="conditional"):
        keras_vae.VQGenerator(vq_vae2(), [prior((4, 4)), prior()])
    with pytest.raises(ValueError, match="built"):
        keras_vae.VQGenerator(vq_vae(built=False), prior())
    assert D == model.embedding_dim
