"""What the tests of networks share."""

import numpy as np


def assert_seed_decides(weights):
    """Equal seeds give equal weights, others other kernels.

    Args:
        weights: callable from a seed to a list of arrays.
    """
    for one, same, other in zip(
        weights(7), weights(7), weights(8), strict=True
    ):
        np.testing.assert_array_equal(one, same)
        assert one.ndim == 1 or not np.allclose(one, other)
