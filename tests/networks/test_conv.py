import keras
import numpy as np
import pytest

from keras_vae.networks import conv_decoder
from keras_vae.networks import conv_encoder
from tests.networks.helpers import assert_seed_decides

SHAPES = [(1, 1, 1), (2, 5, 2), (13, 7, 3), (28, 20, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kernel_size, strides", [(3, 2), (1, 3), (4, 1)])
def test_shapes_of_any_image(shape, kernel_size, strides):
    settings = {
        "filters": (4, 3, 2),
        "units": (6, 5),
        "kernel_size": kernel_size,
        "strides": strides,
    }
    encoder = conv_encoder(shape, **settings)
    decoder = conv_decoder(2, shape, **settings)
    assert encoder.built and decoder.built
    assert encoder(np.ones((2, *shape))).shape == (2, 5)
    assert decoder(np.ones((3, 2))).shape == (3, *shape)
    assert decoder.output_shape == (None, *shape)


def test_decoder_passes_the_encoder_s_sizes():
    def sizes(model):
        outputs = [layer.output.shape for layer in model.layers]
        sizes = [tuple(s[1:3]) for s in outputs if len(s) == 4]
        return list(dict.fromkeys(sizes))

    encoder = conv_encoder((13, 7, 1), filters=(2, 2))
    decoder = conv_decoder(2, (13, 7, 1), filters=(2, 2))
    assert sizes(encoder) == [(13, 7), (7, 4), (4, 2)]
    # (8, 4) and (14, 8) are what a stride of 2 gives before the crop.
    uncropped = {(8, 4), (14, 8)}
    assert [s for s in sizes(decoder) if s not in uncropped] == [
        (4, 2),
        (7, 4),
        (13, 7),
    ]


def test_every_output_pixel_depends_on_the_code():
    decoder = conv_decoder(2, (13, 7, 3), filters=(8, 8), units=(16,), seed=0)
    z = np.random.default_rng(0).normal(size=(64, 2))
    assert np.ptp(decoder(z), axis=0).min() > 0
    assert np.min(decoder(z)) < 0 < np.max(decoder(z))


def test_output_bias_is_one_number_per_channel(tmp_path):
    bias = [1.0, -2.0, 3.0]
    decoder = conv_decoder(2, (5, 4, 3), output_bias=bias, filters=(2,))
    expected = np.broadcast_to(np.float32(bias), (1, 5, 4, 3))
    np.testing.assert_array_equal(decoder(np.zeros((1, 2))), expected)
    decoder.save(tmp_path / "decoder.keras")
    copy = keras.saving.load_model(tmp_path / "decoder.keras")
    np.testing.assert_array_equal(copy(np.zeros((1, 2))), expected)


def test_encoder_round_trip_and_seed(tmp_path):
    def build(seed):
        return conv_encoder((6, 5, 1), filters=(2,), units=(3,), seed=seed)

    x = np.random.default_rng(0).uniform(size=(4, 6, 5, 1))
    model = build(7)
    model.save(tmp_path / "encoder.keras")
    copy = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(copy(x), model(x))
    assert_seed_decides(lambda seed: build(seed).get_weights())


@pytest.mark.parametrize(
    "argument, value",
    [
        ("output_shape", (28,)),
        ("output_shape", (28, 28)),
        ("output_shape", (28, 28, 1, 1)),
        ("output_shape", (28, 0, 1)),
        ("filters", ()),
        ("filters", (4, -4)),
        ("units", ()),
        ("kernel_size", 0),
        ("strides", 0),
        ("strides", (2, 2)),
        ("latent_dim", -2),
        ("output_bias", np.zeros((4, 4, 3))),
    ],
)
def test_bad_arguments(argument, value):
    arguments = {"latent_dim": 2, "output_shape": (4, 4, 3)}
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: {argument}"):
        conv_decoder(**arguments | {argument: value})


def test_encoder_wants_images():
    with pytest.raises(ValueError, match="3 positive .*event_shape=\\(28, 28"):
        conv_encoder((28, 28))
