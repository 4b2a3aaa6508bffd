"""The product of two normal densities, at any variances."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.layers import PrecisionWeightedMerge


def merge(*inputs):
    inputs = [tf.constant(np.float32(value)) for value in inputs]
    return [np.asarray(t) for t in PrecisionWeightedMerge()(inputs)]


def test_is_the_normalised_product_of_densities():
    rng = np.random.default_rng(0)
    mean_a, mean_b = rng.normal(size=(2, 5, 3))
    variance_a, variance_b = np.exp(rng.normal(size=(2, 5, 3)))
    mean, variance = merge(mean_a, variance_a, mean_b, variance_b)
    grid = np.linspace(-12, 12, 4001)[:, None, None]

    def density(mean, variance):
        return np.exp(-((grid - mean) ** 2) / (2 * variance))

    product = density(mean_a, variance_a) * density(mean_b, variance_b)
    product /= product.sum(axis=0)
    expected = (product * grid).sum(axis=0)
    np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-5)
    spread = (product * (grid - expected) ** 2).sum(axis=0)
    np.testing.assert_allclose(variance, spread, rtol=1e-4)


@pytest.mark.parametrize(
    "variance_a, variance_b",
    [
        (1e-30, 1e30),
        (1e38, 1e38),
        (1e-37, 1e-37),
        (3e38, 1.0),
        (1.0, np.inf),
        (1e-3, 1e3),
    ],
)
def test_extreme_variances(variance_a, variance_b):
    a, b = np.float64(np.float32([variance_a, variance_b]))
    precision = 1 / a + 1 / b
    for first, second in (((2.0, a), (-1.0, b)), ((-1.0, b), (2.0, a))):
        mean, variance = merge(*first, *second)
        assert variance == pytest.approx(1 / precision, rel=1e-5)
        expected = (2.0 / a - 1.0 / b) / precision
        assert mean == pytest.approx(expected, rel=1e-5)


def test_gradient_of_equal_variances():
    """Neither of two equal variances may take the other's share."""
    variances = [tf.constant([2.0]), tf.constant([2.0])]
    with tf.GradientTape() as tape:
        tape.watch(variances)
        mean, variance = PrecisionWeightedMerge()(
            [tf.constant([1.0]), variances[0], tf.constant([0.0]), variances[1]]
        )
        total = mean + variance
    # v = ab / (a + b), m = b / (a + b): dv = 1/4, dm = -1/8 and 1/8.
    first, second = tape.gradient(total, variances)
    assert float(first[0]) == pytest.approx(0.25 - 0.125)
    assert float(second[0]) == pytest.approx(0.25 + 0.125)
