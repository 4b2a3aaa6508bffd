import keras
import numpy as np
import pytest

from keras_vae.networks import residual_decoder
from keras_vae.networks import residual_encoder
from keras_vae.networks import residual_stack
from tests.networks.helpers import assert_seed_decides

SMALL = {"filters": 6, "residual_filters": 3, "num_residual_layers": 1}


def kernels(model):
    """Shapes of all kernels, in the order of the layers."""
    return [tuple(w.shape) for w in model.weights if "kernel" in w.path]


def test_default_is_sonnets_network_for_cifar10():
    """Sonnet, examples/vqvae_example.ipynb."""
    encoder = residual_encoder((32, 32, 3))
    layer = [(3, 3, 128, 32), (1, 1, 32, 128)]
    assert kernels(encoder) == [
        (4, 4, 3, 64),
        (4, 4, 64, 128),
        (3, 3, 128, 128),
        *layer,
        *layer,
        (1, 1, 128, 64),
    ]
    assert encoder.output_shape == (None, 8, 8, 64)
    decoder = residual_decoder(encoder.output_shape[1:], (32, 32, 3))
    # A transposed kernel has its inputs last.
    assert kernels(decoder) == [
        (3, 3, 64, 128),
        *layer,
        *layer,
        (4, 4, 64, 128),
        (4, 4, 3, 64),
    ]
    assert decoder.output_shape == (None, 32, 32, 3)


@pytest.mark.parametrize("num_downsamplings", [1, 2, 3])
@pytest.mark.parametrize(
    "shape",
    [
        (1, 1),
        (64, 1),
        (13, 2),
        (28, 28, 1),
        (30, 17, 3),
        (1, 2, 2),
        (5, 8, 3, 1),
        (8, 16, 16, 1),
    ],
)
def test_shapes_of_any_event(shape, num_downsamplings):
    encoder = residual_encoder(
        shape, embedding_dim=2, num_downsamplings=num_downsamplings, **SMALL
    )
    latent = encoder.output_shape[1:]
    factor = 2**num_downsamplings
    assert latent == (*(-(-n // factor) for n in shape[:-1]), 2)
    decoder = residual_decoder(
        latent,
        (*shape[:-1], 4),
        num_upsamplings=num_downsamplings,
        **SMALL,
    )
    assert encoder.built and decoder.built
    z = encoder(np.ones((2, *shape)))
    assert z.shape == (2, *latent)
    assert decoder(z).shape == (2, *shape[:-1], 4)
    assert decoder.output_shape == (None, *shape[:-1], 4)


def test_decoder_passes_the_encoder_s_sizes():
    decoder = residual_decoder((8, 8, 4), (30, 30, 1), **SMALL)
    sizes = [layer.output.shape[1] for layer in decoder.layers]
    assert list(dict.fromkeys(sizes)) == [8, 16, 15, 30]


def test_stack_against_numpy():
    """x + W2 relu(W1 relu(x)); on one position, only the centre counts."""
    inputs = keras.Input((1, 4))
    model = keras.Model(
        inputs, residual_stack(inputs, 3, num_residual_layers=2, seed=0)
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    x = rng.normal(size=(5, 1, 4))
    expected = x[:, 0]
    w = [np.float64(a) for a in model.get_weights()]
    for w1, b1, w2, b2 in (w[:4], w[4:]):
        hidden = np.maximum(np.maximum(expected, 0) @ w1[1] + b1, 0)
        expected = expected + hidden @ w2[0] + b2
    np.testing.assert_allclose(
        model(x)[:, 0], np.maximum(expected, 0), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_moving_the_event_moves_the_grid(rank):
    """Fully convolutional: a shift by the total stride is one cell."""
    encoder = residual_encoder(
        (40,) * rank + (1,), embedding_dim=3, seed=0, **SMALL
    )
    # The receptive field, 3 cells to each side, stays off the border.
    x = np.zeros((2, *(40,) * rank, 1), "float32")
    x[(0, *(20,) * rank)] = 1.0
    x[(1, *(24,) * rank)] = 1.0
    first, second = np.asarray(encoder(x))
    moved = np.roll(first, 1, axis=tuple(range(rank)))
    np.testing.assert_allclose(second, moved, rtol=1e-4, atol=1e-6)
    assert np.ptp(second) > 0.01


def test_without_an_embedding_the_last_is_a_relu():
    encoder = residual_encoder((8, 8, 1), embedding_dim=None, **SMALL)
    assert encoder.output_shape == (None, 2, 2, 6)
    x = np.random.default_rng(0).normal(size=(16, 8, 8, 1))
    assert np.min(encoder(x)) == 0.0 < np.max(encoder(x))


def test_every_output_depends_on_the_codes():
    decoder = residual_decoder((4, 2, 2), (13, 7, 3), seed=0, **SMALL)
    z = np.random.default_rng(0).normal(size=(64, 4, 2, 2))
    assert np.ptp(decoder(z), axis=0).min() > 0
    assert np.min(decoder(z)) < 0 < np.max(decoder(z))


def test_output_bias_is_one_number_per_channel():
    bias = [1.0, -2.0]
    decoder = residual_decoder((2, 1, 3), (7, 4, 2), output_bias=bias, **SMALL)
    expected = np.broadcast_to(np.float32(bias), (1, 7, 4, 2))
    np.testing.assert_array_equal(decoder(np.zeros((1, 2, 1, 3))), expected)


def test_input_mean_is_subtracted(tmp_path):
    mean = [0.5, -2.0]
    arguments = {"embedding_dim": 2, "seed": 0, **SMALL}
    plain = residual_encoder((6, 5, 2), **arguments)
    centred = residual_encoder((6, 5, 2), input_mean=mean, **arguments)
    centred.save(tmp_path / "encoder.keras")
    copy = keras.saving.load_model(tmp_path / "encoder.keras")
    x = np.random.default_rng(0).normal(size=(4, 6, 5, 2)).astype("float32")
    for encoder in (centred, copy):
        np.testing.assert_allclose(
            encoder(x + np.float32(mean)), plain(x), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("rank", [1, 2])
def test_initial_weights_keep_the_variance(rank):
    """1 / (inputs of a kernel): for a transposed one too, whose inputs Keras
    would take for its outputs."""
    shape = (8,) * rank
    decoder = residual_decoder(
        (*(2 for _ in shape), 16), (*shape, 2), filters=32, seed=0
    )
    found = [w for w in decoder.weights if "kernel" in w.path]
    first, last = found[0], found[-1]
    inputs = 3**rank * 16
    assert np.std(first) == pytest.approx(inputs**-0.5, rel=0.1)
    assert last.shape == (*(4 for _ in shape), 2, 16)
    inputs = 4**rank * 16
    assert np.std(last) == pytest.approx(inputs**-0.5, rel=0.2)


def test_round_trip_and_seed(tmp_path):
    def build(seed):
        encoder = residual_encoder((6, 5, 1), 2, seed=seed, **SMALL)
        decoder = residual_decoder((2, 2, 2), (6, 5, 1), seed=seed, **SMALL)
        return keras.Sequential([encoder, decoder])

    x = np.random.default_rng(0).uniform(size=(4, 6, 5, 1))
    model = build(7)
    model.save(tmp_path / "networks.keras")
    copy = keras.saving.load_model(tmp_path / "networks.keras")
    np.testing.assert_array_equal(copy(x), model(x))
    assert_seed_decides(lambda seed: build(seed).get_weights())


def test_stack_is_reproducible():
    inputs = keras.Input((3, 3, 4))
    first, same, other = (
        keras.Model(inputs, residual_stack(inputs, 2, seed=s)).get_weights()
        for s in (1, 1, 2)
    )
    assert len(first) == 8
    np.testing.assert_array_equal(first[0], same[0])
    assert not np.allclose(first[0], other[0])
    # Two layers do not begin with the same kernels.
    assert not np.allclose(first[0], first[4])


@pytest.mark.parametrize(
    "argument, value",
    [
        ("event_shape", (28,)),
        ("event_shape", (2, 2, 2, 2, 1)),
        ("event_shape", (28, 0, 1)),
        ("embedding_dim", 0),
        ("filters", 0),
        ("residual_filters", -1),
        ("num_residual_layers", 0),
        ("num_downsamplings", 1.5),
        ("input_mean", [0.5, 0.5]),
        ("input_mean", np.nan),
        ("seed", -1),
    ],
)
def test_bad_arguments_of_the_encoder(argument, value):
    arguments = {"event_shape": (4, 4, 3), argument: value}
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: {argument}"):
        residual_encoder(**arguments)


@pytest.mark.parametrize(
    "argument, value",
    [
        ("latent_shape", (1, 1)),
        ("latent_shape", (2, 1, 2)),
        ("output_shape", (28,)),
        ("filters", -4),
        ("num_upsamplings", 0),
        ("output_bias", np.zeros(2)),
    ],
)
def test_bad_arguments_of_the_decoder(argument, value):
    arguments = {"latent_shape": (1, 1, 2), "output_shape": (4, 4, 3)}
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: {argument}"):
        residual_decoder(**arguments | {argument: value})
