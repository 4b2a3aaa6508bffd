import numbers
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import random
from keras_vae.arguments import positive
from keras_vae.arguments import proper_fraction
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike

_SCALES = ("learned", "predicted", "optimal")


@keras.saving.register_keras_serializable(package="keras_vae")
class Normal(Likelihood):
    """Independent normal pixels with a scale of one of four kinds.

    log p(x|z) = sum_i log N(x_i; mean_i, scale_i**2)

    Args:
        scale: a positive float, fixed; "learned", one trainable scalar;
            "predicted", the decoder gives twice the channels, means then
            scales (before a softplus); "optimal", the root mean square error
            over the global batch (all examples count alike), at inference
            its running value. Meant for the ELBO: the gradient takes the
            scale to be at its optimum, which it is not under IWAE.
        momentum: float in [0, 1), of the running value of "optimal".
        min_scale: float > 0, lower bound of every scale but a fixed one.

    Call arguments:
        params: tensor (..., *event), the mean, with twice the channels for
            "predicted".

    Input shape:
        (..., *event), or (..., *event[:-1], 2 C) for "predicted"

    Output shape:
        (..., *event)

    Raises:
        ValueError: if `scale` is none of these.

    Example:
    >>> likelihood = keras_vae.likelihoods.Normal(scale=1.0)
    >>> likelihood.build((None, 1))
    >>> round(float(likelihood.log_prob([[0.0]], [[0.0]])[0]), 4)
    -0.9189

    Reference:
        Rybkin, Daniilidis, Levine, 2021, equation 5, for "optimal".
    """

    factorized = True

    def __init__(
        self,
        scale: float | str = "learned",
        momentum: float = 0.99,
        min_scale: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        fixed = isinstance(scale, numbers.Real) and scale > 0
        if not fixed and scale not in _SCALES:
            raise ValueError(
                "`scale` must be a positive number or one of "
                f"{list(_SCALES)}. Received: scale={scale!r}"
            )
        self.scale = float(scale) if fixed else scale
        self.momentum = proper_fraction("momentum", momentum)
        self.min_scale = positive("min_scale", min_scale)
        self.elementwise = scale != "predicted"

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        if self.scale != "predicted":
            return tuple(event_shape)
        return (*event_shape[:-1], 2 * event_shape[-1])

    def build(self, params_shape: Shape) -> None:
        super().build(params_shape)
        if self.scale == "learned":
            self.log_scale = self.add_weight(
                name="log_scale", shape=(), initializer="zeros", autocast=False
            )
        if self.scale == "optimal":
            # Zero-debiased: both start at zero, their ratio is the mean.
            self.moving_square, self.moving_weight = (
                self.add_weight(
                    name=name,
                    shape=(),
                    initializer="zeros",
                    trainable=False,
                    autocast=False,
                    aggregation="mean",
                )
                for name in ("moving_square", "moving_weight")
            )

    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        mean, scale = self._mean_and_scale(params)
        return tfd.Independent(tfd.Normal(mean, scale), self.event_rank)

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        return self._split(params)[0]

    def pointwise_log_prob(
        self, params: tf.Tensor, x: TensorLike, training: bool = False
    ) -> tf.Tensor:
        if self.scale == "optimal" and training:
            mean = tf.cast(params, "float32")
            scale = self._update_scale(mean, x)
        else:
            mean, scale = self._mean_and_scale(params)
        return tfd.Normal(mean, scale).log_prob(x)

    def _split(self, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        params = tf.cast(params, "float32")
        if self.scale != "predicted":
            return params, None
        return tf.split(params, 2, axis=-1)

    def _mean_and_scale(self, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        mean, raw = self._split(params)
        if self.scale == "predicted":
            return mean, tf.nn.softplus(raw) + self.min_scale
        if self.scale == "learned":
            scale = tf.exp(tf.convert_to_tensor(self.log_scale))
            return mean, tf.maximum(scale, self.min_scale)
        if self.scale == "optimal":
            square = tf.math.divide_no_nan(
                tf.convert_to_tensor(self.moving_square),
                tf.convert_to_tensor(self.moving_weight),
            )
            untrained = tf.equal(tf.convert_to_tensor(self.moving_weight), 0.0)
            scale = tf.maximum(tf.sqrt(square), self.min_scale)
            return mean, tf.where(untrained, 1.0, scale)
        return mean, tf.constant(self.scale, "float32")

    def _update_scale(self, mean: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        error = tf.math.squared_difference(mean, x)
        # The scale is at its optimum: its own gradient is zero.
        error = tf.stop_gradient(error)
        total, count = random.all_reduce_sum(
            [tf.reduce_sum(error), tf.cast(tf.size(error), "float32")]
        )
        square = tf.math.divide_no_nan(total, count)
        for variable, value in (
            (self.moving_square, square),
            (self.moving_weight, 1.0),
        ):
            variable.assign(
                self.momentum * tf.convert_to_tensor(variable)
                + (1.0 - self.momentum) * value
            )
        return tf.maximum(tf.sqrt(square), self.min_scale)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "momentum": self.momentum,
            "min_scale": self.min_scale,
        }
