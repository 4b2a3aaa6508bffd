from typing import Any
from typing import Self

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_vae.schedules.noise_schedule import NoiseSchedule
from keras_vae.schedules.noise_schedule import check_betas


@keras.saving.register_keras_serializable(package="keras_vae")
class TabulatedNoise(NoiseSchedule):
    """Betas that are given, one for each step of a diffusion.

    `TabulatedNoise.from_alpha_bars` takes alpha_bars in their place.

    Args:
        betas: sequence of T numbers in (0, 1).

    Raises:
        ValueError: if they are not in (0, 1), or a diffusion has another
            number of steps.

    Example:
    >>> schedule = keras_vae.schedules.TabulatedNoise([0.1, 0.2])
    >>> print(schedule.alpha_bars(2).round(2))
    [0.9  0.72]
    """

    def __init__(self, betas: ArrayLike) -> None:
        self.betas_of_steps = check_betas(betas)

    @classmethod
    def from_alpha_bars(cls, alpha_bars: ArrayLike) -> Self:
        """The schedule with these products of 1 - beta, which must fall."""
        alpha_bars = np.asarray(alpha_bars, "float64")
        before = np.concatenate([[1.0], alpha_bars.ravel()[:-1]])
        # Written so that NaN fails too.
        falling = (alpha_bars.ravel() > 0) & (alpha_bars.ravel() < before)
        if alpha_bars.ndim != 1 or not np.all(falling):
            raise ValueError(
                "`alpha_bars` must fall with each step, from below 1 to above "
                f"0. Received: alpha_bars={alpha_bars}"
            )
        return cls((before - alpha_bars) / before)

    def compute(self, num_steps: int) -> ArrayLike:
        if num_steps != self.betas_of_steps.size:
            raise ValueError(
                "`num_steps` must be the number of betas of the schedule, "
                f"{self.betas_of_steps.size}. Received: num_steps={num_steps}"
            )
        return self.betas_of_steps

    def get_config(self) -> dict[str, Any]:
        return {"betas": self.betas_of_steps.tolist()}
