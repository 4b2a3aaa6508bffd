import keras
import numpy as np
import pytest

from keras_vae.networks import mlp_decoder
from keras_vae.networks import mlp_encoder


def weights(model):
    return [np.asarray(w) for w in model.get_weights()]


@pytest.mark.parametrize("event_shape", [(1,), (28, 28, 1), (13, 7, 3)])
def test_shapes(event_shape):
    encoder = mlp_encoder(event_shape, units=(6, 5))
    decoder = mlp_decoder(2, event_shape, units=(5, 6))
    assert encoder.built and decoder.built
    assert encoder.input_shape == (None, *event_shape)
    assert encoder.output_shape == (None, 5)
    assert decoder.input_shape == (None, 2)
    assert decoder(np.ones((3, 2))).shape == (3, *event_shape)


def test_encoder_is_the_chain_of_its_layers():
    encoder = mlp_encoder((2, 3), units=(5, 4), activation="tanh", seed=0)
    w1, b1, w2, b2 = weights(encoder)
    x = np.random.default_rng(0).normal(size=(7, 2, 3)).astype("float32")
    expected = np.tanh(np.tanh(x.reshape(7, 6) @ w1 + b1) @ w2 + b2)
    np.testing.assert_allclose(encoder(x), expected, atol=1e-6)


def test_decoder_ends_linear():
    decoder = mlp_decoder(2, (3, 2), units=(4,), seed=0)
    w1, b1, w2, b2 = weights(decoder)
    z = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    expected = np.maximum(z @ w1 + b1, 0) @ w2 + b2
    np.testing.assert_allclose(decoder(z), expected.reshape(5, 3, 2), atol=1e-6)
    assert expected.min() < 0


def test_decoder_without_hidden_layers_is_linear():
    decoder = mlp_decoder(2, (3, 2), units=(), seed=0)
    kernel, bias = weights(decoder)
    z = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    np.testing.assert_allclose(
        decoder(z), (z @ kernel + bias).reshape(5, 3, 2), atol=1e-6
    )


@pytest.mark.parametrize("bias", [1.5, np.arange(6.0).reshape(3, 2), [1, 2]])
def test_output_bias(bias, tmp_path):
    decoder = mlp_decoder(2, (3, 2), units=(4,), output_bias=bias)
    expected = np.broadcast_to(bias, (1, 3, 2))
    np.testing.assert_array_equal(decoder(np.zeros((1, 2))), expected)
    copies = [keras.Model.from_config(decoder.get_config())]
    decoder.save(tmp_path / "decoder.keras")
    copies.append(keras.saving.load_model(tmp_path / "decoder.keras"))
    for copy in copies:
        np.testing.assert_array_equal(copy(np.zeros((1, 2))), expected)


@pytest.mark.parametrize("build", [mlp_encoder, mlp_decoder])
def test_round_trip(build, tmp_path):
    shapes = [(4, 3)] if build is mlp_encoder else [2, (4, 3)]
    model = build(*shapes, units=(5, 4), seed=1)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(3, *model.input_shape[1:]))
    np.testing.assert_array_equal(copy(x), model(x))


def test_seeds():
    def kernels(seed):
        model = mlp_decoder(4, (2, 2), units=(4, 4), seed=seed)
        return weights(model)[::2]

    first, again, other = kernels(3), kernels(3), kernels(4)
    unseeded, unseeded_again = kernels(None), kernels(None)
    for a, b, c, d, e in zip(first, again, other, unseeded, unseeded_again):
        np.testing.assert_array_equal(a, b)
        assert not np.allclose(a, c)
        assert not np.allclose(d, e)
    assert not np.allclose(first[0], first[1])
    keras.utils.set_random_seed(5)
    draws = [kernels(None)[0]]
    keras.utils.set_random_seed(5)
    draws.append(kernels(None)[0])
    np.testing.assert_array_equal(*draws)


def test_kernel_initializers():
    orthogonal = keras.initializers.Orthogonal(gain=2.0)
    model = mlp_encoder((4,), (4, 4), kernel_initializer=orthogonal, seed=0)
    for kernel in weights(model)[::2]:
        np.testing.assert_allclose(kernel @ kernel.T, 4 * np.eye(4), atol=1e-5)
    model = mlp_encoder((4,), (3,), kernel_initializer="ones")
    np.testing.assert_array_equal(weights(model)[0], np.ones((4, 3)))


@pytest.mark.parametrize(
    "argument, value",
    [
        ("units", (5, 0)),
        ("units", (2.5,)),
        ("units", 5),
        ("latent_dim", 0),
        ("latent_dim", "two"),
        ("output_shape", ()),
        ("output_shape", (4, -1)),
        ("output_shape", (None, 4)),
        ("output_bias", np.zeros((3, 5))),
        ("output_bias", [np.nan, 0.0]),
        ("seed", -1),
        ("seed", 0.5),
    ],
)
def test_bad_arguments(argument, value):
    arguments = {"latent_dim": 2, "output_shape": (3, 2)} | {argument: value}
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: {argument}"):
        mlp_decoder(**arguments)


def test_bad_event_shape():
    with pytest.raises(ValueError, match="Received: event_shape=\\(\\)"):
        mlp_encoder(())
    with pytest.raises(ValueError, match="Received: units=\\(\\)"):
        mlp_encoder((2,), ())
