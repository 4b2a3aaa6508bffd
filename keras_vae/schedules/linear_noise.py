from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_vae.schedules.noise_schedule import NoiseSchedule


@keras.saving.register_keras_serializable(package="keras_vae")
class LinearNoise(NoiseSchedule):
    """Betas on a straight line over the steps of a diffusion.

    beta_t = start + (end - start) * (t - 1) / (T - 1)

    The ends are those of T = 1000 and do not change with T: with fewer steps
    less noise is added, and `prior_loss` says how much of the data is left.

    Args:
        start: float in (0, 1), the first beta.
        end: float in (0, 1), the last beta.

    Raises:
        ValueError: if an end is not in (0, 1).

    Example:
    >>> schedule = keras_vae.schedules.LinearNoise()
    >>> print(f"{schedule.alpha_bars(1000)[-1]:.2e}")
    4.04e-05

    Reference:
        Ho, Jain, Abbeel, 2020, section 4.
    """

    def __init__(self, start: float = 1e-4, end: float = 0.02) -> None:
        for name, value in (("start", start), ("end", end)):
            if not 0.0 < value < 1.0:
                raise ValueError(
                    f"`{name}` must be in (0, 1). Received: {name}={value}"
                )
        self.start = float(start)
        self.end = float(end)

    def compute(self, num_steps: int) -> ArrayLike:
        return np.linspace(self.start, self.end, num_steps)

    def get_config(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end}
