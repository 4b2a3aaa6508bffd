"""Active units against posteriors whose moments are known."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_vae.metrics import active_units

tfd = tfp.distributions


class KnownPosterior:
    """q(z_i | x) = N(slope_i x + offset_i, stddev_i**2)."""

    def __init__(self, slope, stddev, offset):
        self.slope = np.asarray(slope, "float32")
        self.stddev = np.asarray(stddev, "float32")
        self.offset = np.asarray(offset, "float32")

    def encode(self, x):
        return self.posterior(x).mean()

    def posterior(self, x):
        mean = tf.cast(x, "float32")[:, None] * self.slope + self.offset
        scale = tf.broadcast_to(self.stddev, tf.shape(mean))
        return tfd.Independent(tfd.Normal(mean, scale), 1)

    def prior_distribution(self):
        return tfd.MultivariateNormalDiag(tf.zeros(len(self.slope)))


@pytest.fixture
def model():
    # Used, used a little, collapsed on the prior, collapsed off the prior.
    return KnownPosterior(
        slope=[1.0, 0.2, 0.0, 0.0],
        stddev=[0.1, 0.9, 1.0, 1.0],
        offset=[0.0, 0.0, 0.0, 2.0],
    )


X = np.repeat([-1.0, 1.0], 50)


def test_variance_of_the_means(model):
    result = active_units(model, X)
    np.testing.assert_allclose(result.statistic, [1.0, 0.04, 0, 0], rtol=1e-6)
    assert result.count == 2
    assert result.mask.tolist() == [True, True, False, False]


def test_kl_of_each_unit(model):
    # E_x[m**2] + s**2 - 1 - log s**2, halved. A constant offset is no
    # information about x, yet it is KL: the definitions differ there.
    expected = [
        0.5 * (m2 + s**2 - 1 - np.log(s**2))
        for m2, s in [(1.0, 0.1), (0.04, 0.9), (0.0, 1.0), (4.0, 1.0)]
    ]
    result = active_units(model, X, definition="kl")
    np.testing.assert_allclose(result.statistic, expected, rtol=1e-5)
    assert result.mask.tolist() == [True, True, False, True]


@pytest.mark.parametrize("definition", ["variance", "kl"])
def test_batches_do_not_matter(model, definition):
    x = np.linspace(-2.0, 3.0, 101)
    whole = active_units(model, x, definition)
    parts = active_units(model, x, definition, batch_size=7)
    data = tf.data.Dataset.from_tensor_slices((x, x)).batch(10)
    np.testing.assert_allclose(parts.statistic, whole.statistic, rtol=1e-12)
    np.testing.assert_allclose(
        active_units(model, data, definition).statistic,
        whole.statistic,
        rtol=1e-12,
    )


def test_the_threshold_is_exclusive(model):
    assert active_units(model, X, threshold=1.0).count == 0
    assert active_units(model, X, threshold=0.5).count == 1


def test_variance_far_from_zero_keeps_its_digits():
    model = KnownPosterior([1e-3], [1.0], [1e3])
    offset_in_float32 = active_units(model, X).statistic[0]
    # The means are float32; accumulating squares in it would give garbage.
    np.testing.assert_allclose(offset_in_float32, 1e-6, rtol=0.1)


def test_unknown_definition(model):
    with pytest.raises(ValueError, match="Received: definition=var"):
        active_units(model, X, definition="var")


def test_no_data(model):
    with pytest.raises(ValueError, match="at least one example"):
        active_units(model, X[:0])
