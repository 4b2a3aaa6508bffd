import numpy as np
import pytest

from keras_vae.networks import vq_vae2_networks
from tests.networks.helpers import assert_seed_decides

SMALL = {
    "embedding_dim": 3,
    "filters": 6,
    "residual_filters": 2,
    "num_residual_layers": 1,
}


def run(encoders, upsamplers, decoder, x):
    """Without quantisation: features of 3 channels pass for codes."""
    features = []
    for encoder in encoders:
        x = encoder(x)
        features.append(x)
    codes = [feature[..., :3] for feature in features]
    lower = [up(z) for up, z in zip(upsamplers, codes[1:])]
    return features, codes, lower, decoder(codes)


@pytest.mark.parametrize("num_levels", [1, 2, 3])
@pytest.mark.parametrize(
    "shape, first_downsamplings",
    [((32, 32, 3), 2), ((30, 27, 1), 1), ((50, 1), 2), ((9, 8, 8, 1), 1)],
)
def test_shapes(shape, first_downsamplings, num_levels):
    encoders, upsamplers, decoder = vq_vae2_networks(
        shape, num_levels, first_downsamplings=first_downsamplings, **SMALL
    )
    assert len(encoders) == num_levels
    assert len(upsamplers) == num_levels - 1
    sizes = []
    for level in range(num_levels):
        factor = 2 ** (first_downsamplings + level)
        sizes.append(tuple(-(-n // factor) for n in shape[:-1]))
    x = np.random.default_rng(0).uniform(size=(2, *shape))
    features, codes, lower, output = run(encoders, upsamplers, decoder, x)
    assert [f.shape for f in features] == [(2, *s, 6) for s in sizes]
    assert [f.shape for f in lower] == [(2, *s, 3) for s in sizes[:-1]]
    assert output.shape == (2, *shape)
    assert len(decoder.inputs) == num_levels


def test_paper_sizes_for_colour():
    """Two levels of 256x256: 64x64 at the bottom, 32x32 at the top."""
    encoders, upsamplers, decoder = vq_vae2_networks(
        (256, 256, 3), filters=8, embedding_dim=4, output_channels=6
    )
    assert [e.output_shape[1:3] for e in encoders] == [(64, 64), (32, 32)]
    assert upsamplers[0].output_shape == (None, 64, 64, 4)
    assert decoder.output_shape == (None, 256, 256, 6)


def test_every_level_reaches_the_output():
    _, _, decoder = vq_vae2_networks((16, 16, 1), 3, seed=0, **SMALL)
    rng = np.random.default_rng(0)
    codes = [rng.normal(size=(8, *i.shape[1:])) for i in decoder.inputs]
    output = np.asarray(decoder(codes))
    for level in range(3):
        changed = list(codes)
        changed[level] = -codes[level]
        assert np.abs(np.asarray(decoder(changed)) - output).max() > 1e-3


def test_mean_of_the_input_and_bias_of_the_output():
    arguments = {"num_levels": 2, "seed": 0, **SMALL}
    plain, upsamplers, decoder = vq_vae2_networks(
        (8, 8, 1), input_mean=0.5, output_bias=0.25, **arguments
    )
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    other, *_ = vq_vae2_networks((8, 8, 1), **arguments)
    features = plain[0](x + np.float32(0.5))
    np.testing.assert_allclose(features, other[0](x), rtol=1e-4, atol=1e-5)
    # The features of the encoder above are not shifted.
    np.testing.assert_array_equal(plain[1](features), other[1](features))
    nothing = [np.zeros((1, *i.shape[1:])) for i in decoder.inputs]
    np.testing.assert_array_equal(
        decoder(nothing), np.full((1, 8, 8, 1), 0.25, "float32")
    )


def test_seed():
    def weights(seed):
        encoders, upsamplers, decoder = vq_vae2_networks(
            (8, 8, 1), seed=seed, **SMALL
        )
        return [
            w
            for model in (*encoders, *upsamplers, decoder)
            for w in model.get_weights()
        ]

    assert_seed_decides(weights)


@pytest.mark.parametrize(
    "argument, value",
    [
        ("event_shape", (28,)),
        ("num_levels", 0),
        ("embedding_dim", -1),
        ("first_downsamplings", 0),
        ("filters", 0),
        ("output_channels", 0),
        ("seed", 0.5),
    ],
)
def test_bad_arguments(argument, value):
    arguments = {"event_shape": (8, 8, 1), **SMALL, argument: value}
    name = "output_shape" if argument == "output_channels" else argument
    with pytest.raises(ValueError, match=f"`{name}`.*Received: {name}"):
        vq_vae2_networks(**arguments)
