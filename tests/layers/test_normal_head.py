import keras
import numpy as np
import pytest

from keras_vae.layers import NormalHead


def softplus(x):
    return np.log1p(np.exp(x))


def test_against_numpy():
    head = NormalHead(2, seed=0)
    h = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    mean, variance = head(h)
    kernel, bias = (np.asarray(w) for w in head.dense.weights)
    assert kernel.shape == (3, 4)
    params = h @ kernel + bias
    np.testing.assert_allclose(mean, params[:, :2], rtol=1e-4, atol=1e-6)
    expected = softplus(params[:, 2:]) + 1e-4
    np.testing.assert_allclose(variance, expected, rtol=1e-4)


def test_batch_norm_of_both():
    head = NormalHead(3, batch_norm=True, momentum=0.5, seed=0)
    h = np.random.default_rng(0).normal(3.0, 5.0, size=(400, 3))
    mean, variance = head(h.astype("float32"), training=True)
    np.testing.assert_allclose(np.mean(mean, axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.std(mean, axis=0), 1.0, atol=1e-3)
    raw = np.log(np.expm1(np.asarray(variance) - 1e-4))
    np.testing.assert_allclose(np.mean(raw, axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(np.std(raw, axis=0), 1.0, atol=1e-2)
    # The moving statistics are half of the way there.
    moving = np.asarray(head.norm.moving_mean)
    expected = 0.5 * (h @ np.asarray(head.dense.kernel)).mean(axis=0)
    np.testing.assert_allclose(moving, expected, rtol=1e-3, atol=1e-4)


def test_positions_share_one_matrix():
    head = NormalHead((2, 3, 4), seed=0)
    h = np.random.default_rng(0).normal(size=(5, 2, 3, 6)).astype("float32")
    mean, variance = head(h)
    assert mean.shape == variance.shape == (5, 2, 3, 4)
    flat = NormalHead(4, seed=0)
    same, _ = flat(h.reshape(-1, 6))
    np.testing.assert_allclose(
        np.reshape(mean, (-1, 4)), same, rtol=1e-4, atol=1e-6
    )


def test_extreme_features():
    head = NormalHead(1, seed=0)
    head.build((None, 1))
    head.dense.kernel.assign([[1.0, 1.0]])
    mean, variance = head(np.float32([[-1e30], [1e30]]))
    assert np.isfinite(mean).all()
    np.testing.assert_allclose(variance[:, 0], [1e-4, 1e30], rtol=1e-5)


@pytest.mark.parametrize("shape", [0, (), (2, 0), (1.5,), "two"])
def test_bad_shapes(shape):
    with pytest.raises(ValueError, match="Received: latent_shape="):
        NormalHead(shape)


def test_features_elsewhere():
    with pytest.raises(ValueError, match="positions of the latent shape"):
        NormalHead((2, 2, 1)).build((None, 4, 4, 3))


def test_config():
    head = NormalHead((2, 3), batch_norm=True, momentum=0.9, seed=4)
    copy = NormalHead.from_config(head.get_config())
    assert copy.latent_shape == (2, 3) and copy.norm.momentum == 0.9
    x = keras.Input((2, 5))
    assert [t.shape for t in copy(x)] == [(None, 2, 3), (None, 2, 3)]
