from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_vae.schedules.noise_schedule import NoiseSchedule


@keras.saving.register_keras_serializable(package="keras_vae")
class CosineNoise(NoiseSchedule):
    """Betas whose alpha_bar falls along a squared cosine.

    f(u) = cos((u + offset) / (1 + offset) * pi / 2)**2
    beta_t = min(1 - f(t / T) / f((t - 1) / T), max_beta)

    Args:
        offset: float > 0, keeps the first betas from being too small.
        max_beta: float in (0, 1), the largest beta.

    Raises:
        ValueError: if an argument is out of range.

    Example:
    >>> schedule = keras_vae.schedules.CosineNoise()
    >>> print(schedule.alpha_bars(4).round(2))
    [0.85 0.49 0.14 0.  ]

    Reference:
        Nichol, Dhariwal, 2021, section 3.2.
    """

    def __init__(self, offset: float = 0.008, max_beta: float = 0.999) -> None:
        if not 0.0 < offset < np.inf:
            raise ValueError(
                f"`offset` must be positive. Received: offset={offset}"
            )
        if not 0.0 < max_beta < 1.0:
            raise ValueError(
                f"`max_beta` must be in (0, 1). Received: max_beta={max_beta}"
            )
        self.offset = float(offset)
        self.max_beta = float(max_beta)

    def compute(self, num_steps: int) -> ArrayLike:
        u = np.arange(num_steps + 1) / num_steps
        angle = (u + self.offset) / (1.0 + self.offset) * np.pi / 2
        left = np.cos(angle) ** 2
        return np.minimum(1.0 - left[1:] / left[:-1], self.max_beta)

    def get_config(self) -> dict[str, Any]:
        return {"offset": self.offset, "max_beta": self.max_beta}
