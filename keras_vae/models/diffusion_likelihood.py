"""p(x_0 | x_1): what a diffusion model says of the data themselves."""

import math

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae.typing import TensorLike

# A bin of this many standard deviations or less is a density times a width:
# the error is a 24th of its square.
_NARROW = 0.01


def normal_log_prob(x: TensorLike, mean: tf.Tensor, scale: float) -> tf.Tensor:
    """log N(x; mean, scale**2), elementwise.

    Args:
        x: tensor.
        mean: tensor of its shape.
        scale: float > 0.
    """
    z = (x - mean) / scale
    return -0.5 * tf.square(z) - math.log(scale * math.sqrt(2 * math.pi))


def discretized_normal_log_prob(
    x: TensorLike, mean: tf.Tensor, scale: float, num_levels: int
) -> tf.Tensor:
    """Log-probability of the bin of x under N(mean, scale**2), elementwise.

    Bins are 2 / (num_levels - 1) wide, with x in the middle; those at -1 and
    1 reach to infinity, so that all of them sum to 1.

    Args:
        x: tensor on levels in [-1, 1].
        mean: tensor of its shape.
        scale: float > 0.
        num_levels: int >= 2.

    Reference:
        Ho, Jain, Abbeel, 2020, equation 13.
    """
    half = 1.0 / (num_levels - 1)
    standard = tfd.Normal(tf.zeros([], x.dtype), tf.ones([], x.dtype))
    centred = x - mean
    below = standard.log_cdf((centred + half) / scale)
    above = standard.log_cdf((half - centred) / scale)
    if 2.0 * half / scale <= _NARROW:
        inner = normal_log_prob(x, mean, scale) + math.log(2.0 * half)
    else:
        # In the lower tail, where the difference keeps its digits.
        distance = tf.abs(centred)
        inner = tfp.math.log_sub_exp(
            standard.log_cdf((half - distance) / scale),
            standard.log_cdf((-half - distance) / scale),
        )
    edge = 1.0 - half
    return tf.where(x < -edge, below, tf.where(x > edge, above, inner))
