"""Importance-weighted bounds on log p(x)."""

import tensorflow as tf

from keras_vae.typing import TensorLike


def log_mean_exp(values: TensorLike, axis: int = 0) -> tf.Tensor:
    """log of the mean of exp(values) along `axis`, without overflow."""
    count = tf.cast(tf.shape(values)[axis], values.dtype)
    return tf.reduce_logsumexp(values, axis=axis) - tf.math.log(count)


def importance_weighted_bound(log_weights: TensorLike) -> tf.Tensor:
    """L_K = E[log 1/K sum_k w_k] from K samples; a lower bound of log p(x).

    Args:
        log_weights: float tensor (K, batch),
            log p(x, z_k) - log q(z_k | x), in nats.

    Returns:
        Tensor (batch,), nats. With K = 1 it is the one-sample ELBO.

    Reference:
        Burda, Grosse, Salakhutdinov, 2016, equation 8.
    """
    if log_weights.shape[0] == 1:
        return log_weights[0]
    return log_mean_exp(log_weights, axis=0)
