"""Filters are the columns of the first kernel, each with its own scale."""

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae.visualization import plot_filters
from tests.visualization.models import pixels_of


def test_each_filter_is_symmetric_about_grey():
    kernel = np.zeros((6, 3))
    kernel[:, 0] = [0, 1, 2, -4, 0, 4]
    kernel[:, 1] = -0.01
    grid = pixels_of(plot_filters(kernel, (2, 3, 1), columns=3, title="W"))
    expected = [[0.5, 0.625, 0.75], [0.0, 0.5, 1.0]]
    np.testing.assert_allclose(grid[:, :3], expected)
    np.testing.assert_allclose(grid[:, 4:7], 0.0)
    # A filter without weights is grey, not a division by zero.
    np.testing.assert_allclose(grid[:, 8:], 0.5)


def test_num_and_colour():
    kernel = np.random.default_rng(0).normal(size=(12, 9))
    figure = plot_filters(kernel, (2, 2, 3), num=4, title="four")
    assert pixels_of(figure).shape == (5, 5, 3)
    assert figure.axes[0].get_title() == "four"
    tile = kernel[:, 3].reshape(2, 2, 3)
    np.testing.assert_allclose(
        pixels_of(figure)[3:, 3:],
        0.5 + 0.5 * tile / np.abs(tile).max(),
        atol=1e-6,
    )


def test_the_first_dense_layer_of_the_encoder():
    encoder = keras_vae.networks.mlp_encoder((3, 2, 1), (7, 5))
    decoder = keras_vae.networks.mlp_decoder(5, (3, 2, 1), (4,))
    model = keras_vae.Autoencoder(encoder, decoder)
    model.build((None, 3, 2, 1))
    (kernel,) = [v for v in encoder.weights if tuple(v.shape) == (6, 7)]
    expected = pixels_of(plot_filters(np.asarray(kernel), (3, 2, 1)))
    np.testing.assert_array_equal(pixels_of(plot_filters(model)), expected)
    # A network inside a network, after a convolution of another rank.
    inputs = keras.Input((3, 2, 1))
    outer = keras.Model(
        inputs, encoder(keras.layers.Conv2D(1, 1, use_bias=False)(inputs))
    )
    figure = plot_filters(outer, event_shape=(3, 2, 1))
    np.testing.assert_array_equal(pixels_of(figure), expected)


@pytest.mark.parametrize(
    ("event_shape", "message"),
    [
        ((4, 4, 1), r"kernel of shape \(12, 5\)"),
        ((2, 6), r"event_shape=\(2, 6\)"),
        ((2, 3, 2), r"event_shape=\(2, 3, 2\)"),
        (None, "event_shape=None"),
    ],
)
def test_bad_shapes(event_shape, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        plot_filters(np.ones((12, 5)), event_shape)


def test_a_model_without_dense_layers():
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten()], name="flat"
    )
    with pytest.raises(ValueError, match="Received: 'flat' without one"):
        plot_filters(model, (2, 2, 1))


def test_num_must_be_positive():
    with pytest.raises(ValueError, match="Received: num=0"):
        plot_filters(np.ones((4, 5)), (2, 2, 1), num=0)
