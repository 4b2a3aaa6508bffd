from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_vae.arguments import positive
from keras_vae.typing import Scalar


@keras.saving.register_keras_serializable(package="keras_vae")
class LinearWarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A straight line from `start` to `end`, constant afterwards.

    value(step) = start + (end - start) * min(step / steps, 1)

    Args:
        steps: int > 0, number of training steps until `end`.
        start: float, value at step 0.
        end: float, value from `steps` on.

    Raises:
        ValueError: if `steps` is not positive.

    Example:
    >>> beta = keras_vae.schedules.LinearWarmUp(1000)
    >>> float(beta(250))
    0.25

    Reference:
        Bowman et al., 2016, section 3.1; Sonderby et al., 2016, section 2.3.
    """

    def __init__(
        self, steps: int, start: float = 0.0, end: float = 1.0
    ) -> None:
        super().__init__()
        self.steps = positive("steps", steps)
        self.start = start
        self.end = end

    def __call__(self, step: Scalar) -> tf.Tensor:
        fraction = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        return self.start + (self.end - self.start) * fraction

    def get_config(self) -> dict[str, Any]:
        return {"steps": self.steps, "start": self.start, "end": self.end}
