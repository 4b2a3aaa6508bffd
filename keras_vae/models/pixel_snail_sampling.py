"""Draws from an autoregressive model at one position."""

import tensorflow as tf

from keras_vae import random
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.typing import Scalar


def draw_code(
    logits: tf.Tensor, seed: tf.Tensor, index: Scalar, temperature: Scalar
) -> tf.Tensor:
    """Codes, by the largest sum of a logit and Gumbel noise.

    The noise depends on the seed and the position alone.

    Args:
        logits: float32 tensor (batch, K).
        seed: int32 tensor (2,).
        index: scalar int32 tensor, the position.
        temperature: scalar float tensor; 0 gives the most probable code.

    Returns:
        int32 tensor (batch,).
    """
    noise = random.Noise(random.fold_in(seed, index))
    # The middles of intervals: neither logarithm is infinite.
    uniform = noise.uniform(tf.unstack(tf.shape(logits))) + 2.0**-24
    gumbel = -tf.math.log(-tf.math.log(uniform))
    return tf.argmax(logits + temperature * gumbel, -1, output_type="int32")


def draw_pixel(
    likelihood: Likelihood, params: tf.Tensor, seed: tf.Tensor, index: Scalar
) -> tf.Tensor:
    """Pixels: float32 tensor (batch, C).

    Args:
        likelihood: `Likelihood`, a product over the pixels of an image.
        params: float32 tensor (batch, P).
        seed: int32 tensor (2,).
        index: scalar int32 tensor, the position.
    """
    # An image of one pixel.
    image = likelihood.distribution(params[:, tf.newaxis, tf.newaxis])
    return image.sample(seed=random.fold_in(seed, index))[:, 0, 0]
