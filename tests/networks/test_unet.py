import keras
import numpy as np
import pytest

from keras_vae.layers import SelfAttention
from keras_vae.networks import unet

SMALL = {"filters": 8, "num_groups": 4}
FLAT = {"multipliers": (1,), "attention": (), **SMALL}


def filled(model):
    """The model with weights that are not zero anywhere."""
    rng = np.random.default_rng(1)
    model.set_weights(
        [0.2 * rng.normal(size=w.shape) for w in model.get_weights()]
    )
    return model


@pytest.mark.parametrize(
    "shape", [(28, 28, 1), (8, 8, 3), (7, 5, 2), (9, 3), (5, 4, 6, 1)]
)
def test_shapes(shape):
    model = unet(shape, **SMALL)
    assert model.built and model.output_shape == (None, *shape)
    y = model([np.ones((2, *shape)), np.array([0.0, 1.0])])
    # The last convolution is zero.
    np.testing.assert_array_equal(y, np.zeros((2, *shape)))


def test_sizes_on_the_way():
    model = unet((28, 27, 1), multipliers=(1, 2, 2, 1), **SMALL)
    sizes = [
        layer.output.shape[1:3]
        for layer in model.layers
        if len(layer.output.shape) == 4
    ]
    down = [(28, 27), (14, 14), (7, 7), (4, 4)]
    up = [(8, 8), (7, 7), (14, 14), (28, 28), (28, 27)]
    assert [s for s, t in zip(sizes, [None, *sizes]) if s != t] == down + up


def test_the_network_of_the_paper():
    model = unet(
        (32, 32, 3),
        128,
        (1, 2, 2, 2),
        num_residual=2,
        attention=(1,),
        num_groups=32,
        dropout=0.1,
    )
    # That of the authors' program: 35.7 million.
    assert model.count_params() == 35_746_307
    attended = [
        layer.output.shape[1]
        for layer in model.layers
        if isinstance(layer, SelfAttention)
    ]
    assert attended == [16, 16, 4, 16, 16, 16]


def test_the_time_and_all_pixels_reach_the_output():
    model = filled(unet((6, 6, 1), multipliers=(1, 1), **SMALL))
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 1))
    y = np.asarray(model([x, np.array([0.5, 0.5])]))
    later = np.asarray(model([x, np.array([0.5, 0.501])]))
    np.testing.assert_allclose(y[0], later[0], rtol=1e-5)
    assert np.all(y[1] != later[1])
    x[0, 5, 5] += 1.0
    assert np.all(np.asarray(model([x, np.array([0.5, 0.5])]))[0] != y[0])


def test_dropout_is_for_training():
    model = filled(unet((4, 4, 1), dropout=0.5, **FLAT))
    inputs = [np.ones((2, 4, 4, 1)), np.ones(2)]
    first, second = (np.asarray(model(inputs, training=True)) for _ in "ab")
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(model(inputs), model(inputs))


def test_round_trip_and_seed(tmp_path):
    def make(seed):
        return unet((5, 4, 2), multipliers=(1, 2), seed=seed, **SMALL)

    first, same, other = (make(seed).get_weights() for seed in (1, 1, 2))
    for one, two in zip(first, same, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.allclose(first[0], other[0])
    model = filled(make(3))
    model.save(tmp_path / "unet.keras")
    copy = keras.saving.load_model(tmp_path / "unet.keras")
    inputs = [np.ones((2, 5, 4, 2)), np.array([0.2, 0.7])]
    np.testing.assert_array_equal(copy(inputs), model(inputs))


def test_other_channels_come_out():
    model = unet((4, 4, 3), output_channels=6, **FLAT)
    assert model.output_shape == (None, 4, 4, 6)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("event_shape", (28,)),
        ("filters", 0),
        ("multipliers", ()),
        ("multipliers", (1, 0)),
        ("num_residual", 0),
        ("attention", (3,)),
        ("attention", (-1,)),
        ("num_groups", 5),
        ("dropout", 1.0),
        ("seed", -1),
    ],
)
def test_bad_arguments(argument, value):
    arguments = {"event_shape": (4, 4, 3), **SMALL, argument: value}
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: {argument}"):
        unet(**arguments)
