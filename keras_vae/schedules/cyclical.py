from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_vae.arguments import positive
from keras_vae.typing import Scalar


@keras.saving.register_keras_serializable(package="keras_vae")
class Cyclical(keras.optimizers.schedules.LearningRateSchedule):
    """A straight line from `start` to `end`, again and again.

    With tau = (step mod steps) / steps,
    value(step) = start + (end - start) * min(tau / rising, 1)

    Args:
        steps: int > 0, training steps of a cycle.
        rising: float in (0, 1], share of a cycle in which the value rises; it
            stays at `end` for the rest.
        cycles: None, or int > 0: after as many cycles the value stays `end`.
        start: float, value at the beginning of a cycle.
        end: float.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
    >>> beta = keras_vae.schedules.Cyclical(1000, rising=0.5)
    >>> float(beta(250)), float(beta(750)), float(beta(1250))
    (0.5, 1.0, 0.5)

    Reference:
        Fu et al., 2019, equation 6.
    """

    def __init__(
        self,
        steps: int,
        rising: float = 0.5,
        cycles: int | None = None,
        start: float = 0.0,
        end: float = 1.0,
    ) -> None:
        super().__init__()
        positive("steps", steps)
        if cycles is not None:
            positive("cycles", cycles)
        if not 0.0 < rising <= 1.0:
            raise ValueError(
                f"`rising` must be in (0, 1]. Received: rising={rising}"
            )
        self.steps = steps
        self.rising = rising
        self.cycles = cycles
        self.start = start
        self.end = end

    def __call__(self, step: Scalar) -> tf.Tensor:
        step = ops.cast(step, "int64")
        # Whole numbers: float32 forgets single steps after 16 million.
        within = ops.cast(step % self.steps, "float32") / self.steps
        fraction = ops.minimum(within / self.rising, 1.0)
        if self.cycles is not None:
            over = step >= self.cycles * self.steps
            fraction = ops.where(over, 1.0, fraction)
        return self.start + (self.end - self.start) * fraction

    def get_config(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "rising": self.rising,
            "cycles": self.cycles,
            "start": self.start,
            "end": self.end,
        }
