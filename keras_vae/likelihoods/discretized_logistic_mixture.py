from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.arguments import positive_int
from keras_vae.likelihoods.grid import validate_levels
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.likelihoods.logistic_mixture import LogisticMixture
from keras_vae.typing import Array

# Far flatter than any pixel needs; at 87 exp(-x) would underflow.
_MAX_LOG_SCALE = 30.0


@keras.saving.register_keras_serializable(package="keras_vae")
class DiscretizedLogisticMixture(Likelihood):
    """Mixture of discretised logistics for each pixel of an image.

    p(x|z) = prod_pixels sum_k pi_k prod_c
        [sigmoid((x_c + 1/255 - m_kc) / s_kc)
         - sigmoid((x_c - 1/255 - m_kc) / s_kc)]

    in units where pixels span [-1, 1], with open ends at black and white. For
    three channels the location of green depends on red and that of blue on
    both, linearly.

    Args:
        num_components: int >= 1, K.
        num_levels: int >= 2, number of grey levels.
        min_log_scale: float, lower bound of the log scales.

    Call arguments:
        params: tensor (..., H, W, K (1 + 2 C)), or (..., H, W, 10 K) for
            three channels.

    Input shape:
        (..., H, W, channels of params)

    Output shape:
        (..., H, W, C), the mean of the mixture before discretisation

    Raises:
        ValueError: if an argument is out of range or events are no images.

    Example:
    >>> likelihood = keras_vae.likelihoods.DiscretizedLogisticMixture(5)
    >>> likelihood.params_shape((32, 32, 3))
    (32, 32, 50)

    Reference:
        Salimans, Karpathy, Chen, Kingma, 2017, section 2.1 and 2.2.
    """

    discrete = True
    bounded_activations = ("sigmoid", "hard_sigmoid", "softmax")

    def __init__(
        self,
        num_components: int = 10,
        num_levels: int = 256,
        min_log_scale: float = -7.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_components = positive_int("num_components", num_components)
        self.num_levels = positive_int("num_levels", num_levels, at_least=2)
        self.min_log_scale = min_log_scale

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        if len(event_shape) != 3:
            raise ValueError(
                "DiscretizedLogisticMixture takes images (H, W, C). "
                f"Received: event_shape={tuple(event_shape)}"
            )
        channels = event_shape[-1]
        per_component = 1 + 2 * channels + (3 if channels == 3 else 0)
        return (*event_shape[:-1], self.num_components * per_component)

    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        params = tf.cast(params, "float32")
        per_component = params.shape[-1] // self.num_components
        # 1 + 2 C is odd: ten can only be three colour channels.
        channels = 3 if per_component == 10 else (per_component - 1) // 2
        sizes = [self.num_components] + 2 * [self.num_components * channels]
        if channels == 3:
            sizes.append(3 * self.num_components)
        logits, *rest = tf.split(params, sizes, axis=-1)
        rows = tf.shape(logits)[:-1]
        shape = tf.concat([rows, [channels, self.num_components]], axis=0)
        locations, log_scales, *coefficients = (
            tf.reshape(part, shape) for part in rest
        )
        return LogisticMixture(
            logits,
            locations,
            tf.clip_by_value(log_scales, self.min_log_scale, _MAX_LOG_SCALE),
            tf.tanh(coefficients[0]) if coefficients else None,
            num_levels=self.num_levels,
        )

    def validate(self, x: Array, argument: str = "x") -> None:
        super().validate(x, argument)
        name = "discretized logistic mixture"
        validate_levels(x, self.num_levels, argument, name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_components": self.num_components,
            "num_levels": self.num_levels,
            "min_log_scale": self.min_log_scale,
        }
