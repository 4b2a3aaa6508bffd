import numpy as np
import pytest

from keras_vae.layers import GatedNormal


def test_against_numpy():
    layer = GatedNormal(5, 2, seed=0)
    x = np.random.default_rng(0).normal(size=(7, 3)).astype("float32")
    mean, variance = layer(x)
    w, b, v, a = layer.get_weights()
    assert (w.shape, v.shape) == ((3, 10), (5, 4))
    value, gate = np.split(x @ w + b, 2, axis=1)
    features = np.tanh(value) / (1 + np.exp(-gate))
    expected = features @ v + a
    np.testing.assert_allclose(mean, expected[:, :2], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(variance, np.exp(2 * expected[:, 2:]), rtol=1e-4)


def test_extreme_inputs():
    layer = GatedNormal(3, 1, seed=0)
    for x in (-1e30, 1e30):
        for moment in layer(np.full((1, 2), x, "float32")):
            assert np.isfinite(moment).all()
    layer.head.bias.assign([0.0, 1e30])
    _, variance = layer(np.zeros((1, 2), "float32"))
    assert np.isfinite(variance).all()


def test_seed():
    x = np.ones((1, 2), "float32")
    first, same, other = (GatedNormal(4, 2, seed=s)(x)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("arguments", [(0, 2), (3, 0), (1.5, 2)])
def test_bad_sizes(arguments):
    with pytest.raises(ValueError, match="positive integer. Received: "):
        GatedNormal(*arguments)
