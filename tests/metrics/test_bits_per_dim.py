"""Bits per dimension of codes whose length is known."""

import math

import numpy as np
import pytest

import keras_vae
from keras_vae.metrics import bits_per_dim


def test_a_uniform_code_over_bytes_has_8_bits():
    nats = 32 * 32 * 3 * math.log(256)
    assert bits_per_dim(nats, (32, 32, 3)) == pytest.approx(8.0, rel=1e-15)


def test_arrays_keep_their_shape_in_float64():
    bits = bits_per_dim(np.full((2, 3), math.log(4), "float32"), (2,))
    assert bits.dtype == np.float64
    np.testing.assert_allclose(bits, np.ones((2, 3)), rtol=1e-7)


def vae(likelihood):
    encoder = keras_vae.networks.mlp_encoder((4, 4, 1), (8,), seed=1)
    decoder = keras_vae.networks.mlp_decoder(2, (4, 4, 1), (8,), seed=2)
    model = keras_vae.VAE(encoder, decoder, 2, likelihood=likelihood, seed=0)
    model.build((None, 4, 4, 1))
    return model


def test_a_model_gives_its_event_shape():
    bits = bits_per_dim(16 * math.log(2), model=vae("bernoulli"))
    assert bits == pytest.approx(1.0)


@pytest.mark.parametrize(
    "likelihood", ["squared_error", "continuous_bernoulli"]
)
def test_a_density_has_no_bits(likelihood):
    with pytest.raises(ValueError, match="discrete likelihoods only"):
        bits_per_dim(10.0, model=vae(likelihood))


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"event_shape": (2,), "model": object()}, {"event_shape": (0, 3)}],
)
def test_bad_events(kwargs):
    with pytest.raises(ValueError, match="Received"):
        bits_per_dim(1.0, **kwargs)
