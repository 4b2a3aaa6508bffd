import keras
import numpy as np
import pytest

from keras_vae.networks import conv_hierarchy
from keras_vae.networks import conv_latent_shapes
from keras_vae.networks import mlp_hierarchy
from tests.networks.helpers import assert_seed_decides

MLP = {"latent_dims": (4, 3, 2), "units": (8, 7, 6)}


def test_default_is_the_paper_s():
    encoders, generators, decoder = mlp_hierarchy((28, 28, 1), seed=0)
    widths = (512, 256, 128, 64, 32)
    sizes = (64, 32, 16, 8, 4)
    assert [e.output_shape[1] for e in encoders] == list(widths)
    assert [e.input_shape[1] for e in encoders[1:]] == list(sizes[:-1])
    assert [g.output_shape[1] for g in generators] == list(widths[1:])
    assert [g.input_shape[1] for g in generators] == list(sizes[1:])
    assert decoder.input_shape == (None, 64)
    assert decoder.output_shape == (None, 28, 28, 1)
    # Two layers of 512 each way.
    assert encoders[0].count_params() == 785 * 512 + 513 * 512
    assert decoder.count_params() == 65 * 512 + 513 * 512 + 513 * 784


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_ladder_takes_features(batch_norm):
    encoders, generators, decoder = mlp_hierarchy(
        (5,), **MLP, ladder=True, batch_norm=batch_norm, output_shape=(5, 2)
    )
    assert [e.input_shape[1] for e in encoders] == [5, 8, 7]
    assert decoder.output_shape == (None, 5, 2)
    norms = [
        layer
        for network in [*encoders, *generators, decoder]
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(norms) == (12 if batch_norm else 0)
    assert all(norm.synchronized for norm in norms)


def test_activation():
    encoders, *_ = mlp_hierarchy(
        (1,), (1,), (1,), num_layers=1, negative_slope=0.25
    )
    encoders[0].set_weights([np.ones((1, 1)), np.zeros(1)])
    np.testing.assert_allclose(
        encoders[0](np.float32([[-4], [2]])), [[-1], [2]]
    )


@pytest.mark.parametrize("ladder", [False, True])
@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 7, 3), (13, 2)])
def test_grids_chain(shape, ladder):
    shapes = conv_latent_shapes(shape, (2, 3, 4))
    encoders, generators, decoder = conv_hierarchy(
        shape,
        (2, 3, 4),
        (6, 7, 8),
        ladder=ladder,
        batch_norm=True,
        output_channels=5,
    )
    for level, latent in enumerate(shapes):
        assert encoders[level].output_shape[1:-1] == latent[:-1]
    for level, generator in enumerate(generators):
        assert generator.input_shape[1:] == shapes[level + 1]
        assert generator.output_shape[1:-1] == shapes[level][:-1]
    expected = encoders[0].output_shape if ladder else (None, *shapes[0])
    assert encoders[1].input_shape == expected
    assert decoder.input_shape == (None, *shapes[0])
    assert decoder.output_shape == (None, *shape[:-1], 5)


@pytest.mark.parametrize("make", [mlp_hierarchy, conv_hierarchy])
def test_seed_and_bias(make):
    def weights(seed):
        encoders, generators, decoder = make(
            (4, 4, 1), (3, 2), (5, 4), output_bias=0.5, seed=seed
        )
        return [
            w
            for network in [*encoders, *generators, decoder]
            for w in network.get_weights()
        ]

    assert_seed_decides(weights)
    assert np.all(weights(1)[-1] == 0.5)


@pytest.mark.parametrize(
    "arguments, name",
    [
        ({"latent_dims": ()}, "latent_dims"),
        ({"units": (8, 7)}, "units"),
        ({"units": (8, 7, 0)}, "units"),
        ({"num_layers": 0}, "num_layers"),
        ({"output_bias": [1.0, 2.0, 3.0]}, "output_bias"),
    ],
)
def test_bad_arguments(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received: "):
        mlp_hierarchy((5,), **{**MLP, **arguments})


def test_bad_arguments_of_grids():
    with pytest.raises(ValueError, match="`filters` must hold"):
        conv_hierarchy((8, 8, 1), (2, 3), (4,))
    with pytest.raises(ValueError, match="`event_shape`"):
        conv_hierarchy((8,), (2, 3), (4, 5))
