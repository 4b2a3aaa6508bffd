from typing import Any
from typing import Self

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.typing import Array


@keras.saving.register_keras_serializable(package="keras_vae")
class NoiseSchedule:
    """Base of the variances that a diffusion adds in each of its T steps.

    q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I),  t = 1..T
    alpha_bar_t = prod_{s<=t} (1 - beta_s)

    A subclass must override `compute`, and `get_config` if it has arguments;
    it is registered with `keras.saving.register_keras_serializable`.
    """

    def compute(self, num_steps: int) -> ArrayLike:
        """The betas, unchecked: numbers (num_steps,).

        Args:
            num_steps: int >= 1, T.
        """
        raise NotImplementedError

    def betas(self, num_steps: int) -> Array:
        """The betas of all steps, first step first.

        Args:
            num_steps: int >= 1, T.

        Returns:
            float64 NumPy array (num_steps,).

        Raises:
            ValueError: if `num_steps` is not positive, or what the schedule
                gives are no variances between 0 and 1.
        """
        num_steps = positive_int("num_steps", num_steps)
        betas = np.asarray(self.compute(num_steps), "float64")
        if betas.shape != (num_steps,):
            raise ValueError(
                f"{type(self).__name__} must give a beta for each step. "
                f"Received: num_steps={num_steps}, betas of shape {betas.shape}"
            )
        return check_betas(betas)

    def alpha_bars(self, num_steps: int) -> Array:
        """What is left of the data's variance after each step.

        Args:
            num_steps: int >= 1, T.

        Returns:
            float64 NumPy array (num_steps,), falling.
        """
        return np.exp(np.cumsum(np.log1p(-self.betas(num_steps))))

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config)


def check_betas(betas: ArrayLike) -> Array:
    """`betas` as float64 array, all in (0, 1), or a ValueError."""
    betas = np.asarray(betas, "float64")
    if betas.ndim != 1 or betas.size == 0:
        raise ValueError(
            "`betas` must hold one number for each step. "
            f"Received: betas of shape {betas.shape}"
        )
    # Written so that NaN fails too.
    wrong = ~((betas > 0.0) & (betas < 1.0))
    if np.any(wrong):
        step = int(np.argmax(wrong))
        raise ValueError(
            "`betas` must be in (0, 1), so that alpha_bar falls with each "
            f"step. Received: betas with {betas[step]} at step {step + 1} of "
            f"{betas.size}"
        )
    return betas
