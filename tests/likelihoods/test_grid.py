import numpy as np
import pytest

from keras_vae.likelihoods.grid import validate_levels


@pytest.mark.parametrize("num_levels", [2, 16, 256, 4096])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_takes_every_level(num_levels, dtype):
    levels = np.arange(num_levels, dtype=dtype) / (num_levels - 1)
    validate_levels(levels, num_levels, "x", "some")


def test_names_the_likelihood_the_levels_and_a_value():
    with pytest.raises(
        ValueError, match=r"some likelihood takes `y` on 256 levels.*0\.3"
    ):
        validate_levels(np.array([0.0, 0.3]), 256, "y", "some")


def test_refuses_a_grid_of_256_steps():
    with pytest.raises(ValueError, match="k / 255"):
        validate_levels(np.arange(256) / 256, 256, "x", "some")
