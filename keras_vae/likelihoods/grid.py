"""Data on a grid of levels: 8-bit pixels scaled to [0, 1]."""

import numpy as np

from keras_vae.likelihoods.likelihood import check_range
from keras_vae.typing import Array


def validate_levels(
    x: Array, num_levels: int, argument: str, name: str
) -> None:
    """Raises unless x holds k / (num_levels - 1) for integers k."""
    check_range(x, 0.0, 1.0, argument, name)
    scaled = np.asarray(x, "float64") * (num_levels - 1)
    # Half of a per cent of a step: float32 keeps more than that.
    off = np.abs(scaled - np.round(scaled)) > 5e-3
    if np.any(off):
        of_bytes = " (8-bit pixels over 255)" if num_levels == 256 else ""
        raise ValueError(
            f"The {name} likelihood takes `{argument}` on {num_levels} levels "
            f"k / {num_levels - 1}{of_bytes}. Received: "
            f"num_levels={num_levels}, {argument} with values such as "
            f"{x[off].flat[0]}"
        )
