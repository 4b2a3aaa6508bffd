"""Neighbours against all distances."""

import numpy as np
import pytest

import keras_vae
from keras_vae.evaluation import nearest_neighbors


def autoencoder():
    encoder = keras_vae.networks.mlp_encoder((8, 8, 1), (5,), "tanh", seed=1)
    decoder = keras_vae.networks.mlp_decoder(5, (8, 8, 1), (8,), seed=2)
    return keras_vae.Autoencoder(encoder, decoder, seed=0)


def test_all_distances(digits):
    model = autoencoder()
    query, gallery = digits[:20], digits[20:200]
    indices, distances = nearest_neighbors(model, query, gallery, 4, 64)
    codes = [np.asarray(model.encode(x), "float64") for x in (query, gallery)]
    table = np.linalg.norm(codes[0][:, None] - codes[1][None], axis=-1)
    np.testing.assert_allclose(
        distances, np.sort(table, axis=1)[:, :4], rtol=1e-4
    )
    np.testing.assert_allclose(
        np.take_along_axis(table, indices, axis=1), distances, rtol=1e-4
    )


def test_the_query_itself_comes_first(digits):
    indices, distances = nearest_neighbors(
        autoencoder(), digits[:30], digits[:100], k=1
    )
    np.testing.assert_array_equal(indices[:, 0], np.arange(30))
    np.testing.assert_allclose(distances, 0.0, atol=1e-3)


@pytest.mark.parametrize("k", [0, 11])
def test_k_must_fit_the_gallery(digits, k):
    with pytest.raises(ValueError, match=f"gallery, 10. Received: k={k}"):
        nearest_neighbors(autoencoder(), digits[:2], digits[:10], k=k)


def test_an_empty_gallery(digits):
    with pytest.raises(ValueError, match="at least one example"):
        nearest_neighbors(autoencoder(), digits[:2], digits[:0])
