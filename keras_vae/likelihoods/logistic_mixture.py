"""The distribution behind `DiscretizedLogisticMixture`."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae.typing import Scalar
from keras_vae.typing import TensorLike


class LogisticMixture(tfd.Distribution):
    """Mixture of discretised logistics for each pixel, on levels in [0, 1].

    Locations and scales are in units where the pixel range is [-1, 1].

    Args:
        logits: tensor (..., H, W, K).
        locations: tensor (..., H, W, C, K).
        log_scales: tensor (..., H, W, C, K).
        coefficients: None, or tensor (..., H, W, 3, K) for C = 3: green on
            red, blue on red, blue on green.
        num_levels: int.
    """

    def __init__(
        self,
        logits: TensorLike,
        locations: TensorLike,
        log_scales: TensorLike,
        coefficients: TensorLike | None = None,
        num_levels: int = 256,
        name: str = "LogisticMixture",
    ) -> None:
        parameters = dict(locals())
        self.logits = logits
        self.locations = locations
        self.log_scales = log_scales
        self.coefficients = coefficients
        self.num_levels = num_levels
        super().__init__(
            dtype=tf.float32,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(
        cls, dtype: Any, num_classes: int | None = None
    ) -> dict[str, Any]:
        event_ndims = {"logits": 3, "locations": 4, "log_scales": 4}
        return {
            name: tfp.util.ParameterProperties(event_ndims=rank)
            for name, rank in event_ndims.items()
        } | {
            "coefficients": tfp.util.ParameterProperties(event_ndims=4),
            "num_levels": tfp.util.ParameterProperties(event_ndims=None),
        }

    def _event_shape(self) -> tf.TensorShape:
        return self.locations.shape[-4:-1]

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.shape(self.locations)[-4:-1]

    def _conditional_locations(self, x: tf.Tensor) -> tf.Tensor:
        """Locations given the earlier channels of x, (..., H, W, C)."""
        if self.coefficients is None:
            return self.locations
        red, green = x[..., 0, tf.newaxis], x[..., 1, tf.newaxis]
        zero = tf.zeros_like(red)
        green_red, blue_red, blue_green = tf.unstack(self.coefficients, axis=-2)
        shift = [
            zero * green_red,
            green_red * red,
            blue_red * red + blue_green * green,
        ]
        return self.locations + tf.stack(shift, axis=-2)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        x = 2.0 * tf.cast(x, tf.float32) - 1.0
        half_bin = 1.0 / (self.num_levels - 1)
        centred = x[..., tf.newaxis] - self._conditional_locations(x)
        inverse_scale = tf.exp(-self.log_scales)
        upper = (centred + half_bin) * inverse_scale
        lower = (centred - half_bin) * inverse_scale
        # log(sigmoid(u) - sigmoid(l)) without a difference of near equals.
        below = -tf.nn.softplus(-upper)
        above = -tf.nn.softplus(lower)
        width = 2.0 * half_bin * inverse_scale
        inner = below + above + tf.math.log(-tf.math.expm1(-width))
        edge = 1.0 - half_bin
        x = x[..., tf.newaxis]
        log_probs = tf.where(x < -edge, below, tf.where(x > edge, above, inner))
        log_probs = tf.reduce_sum(log_probs, axis=-2)
        log_probs += tf.nn.log_softmax(self.logits)
        return tf.reduce_sum(
            tf.reduce_logsumexp(log_probs, axis=-1), axis=[-2, -1]
        )

    def _mean(self) -> tf.Tensor:
        locations = tf.unstack(self.locations, axis=-2)
        if self.coefficients is not None:
            red, green, blue = locations
            green_red, blue_red, blue_green = tf.unstack(
                self.coefficients, axis=-2
            )
            green += green_red * red
            blue += blue_red * red + blue_green * green
            locations = [red, green, blue]
        weights = tf.nn.softmax(self.logits)
        mean = tf.stack(
            [tf.reduce_sum(weights * m, axis=-1) for m in locations], axis=-1
        )
        return tf.clip_by_value(0.5 * mean + 0.5, 0.0, 1.0)

    def _sample_n(self, n: Scalar, seed: Any = None) -> tf.Tensor:
        component_seed, noise_seed = tfp.random.split_seed(seed, n=2)
        component = tfd.OneHotCategorical(
            logits=self.logits, dtype=tf.float32
        ).sample(n, seed=component_seed)
        chosen = component[..., tf.newaxis, :]

        def choose(values: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(values * chosen, axis=-1)

        noise = tfd.Logistic(0.0, 1.0).sample(
            tf.shape(choose(self.locations)), seed=noise_seed
        )
        free = choose(self.locations) + tf.exp(choose(self.log_scales)) * noise
        steps = self.num_levels - 1

        def to_level(value: tf.Tensor) -> tf.Tensor:
            value = tf.clip_by_value(0.5 * value + 0.5, 0.0, 1.0)
            return 2.0 * tf.round(value * steps) / steps - 1.0

        channels = tf.unstack(free, axis=-1)
        if self.coefficients is None:
            channels = [to_level(channel) for channel in channels]
        else:
            # Conditioned on levels, as `_log_prob` is.
            green_red, blue_red, blue_green = tf.unstack(
                choose(self.coefficients), axis=-1
            )
            red, green, blue = channels
            red = to_level(red)
            green = to_level(green + green_red * red)
            blue = to_level(blue + blue_red * red + blue_green * green)
            channels = [red, green, blue]
        return 0.5 * tf.stack(channels, axis=-1) + 0.5
