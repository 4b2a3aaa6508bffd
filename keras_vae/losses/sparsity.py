"""Distances of mean activations from a target."""

import tensorflow as tf

from keras_vae.typing import TensorLike


def bernoulli_kl_divergence(
    rho: float, rho_hat: TensorLike, epsilon: float = 1e-6
) -> tf.Tensor:
    """KL(rho || rho_hat) between Bernoulli means.

    rho log(rho / q) + (1 - rho) log((1 - rho) / (1 - q))

    with q = epsilon + (1 - 2 epsilon) rho_hat, which stays off 0 and 1: value
    and gradient are finite at both ends, and the gradient is not zero there,
    as it would be behind a clip.

    Args:
        rho: float in (0, 1), the target.
        rho_hat: tensor of any shape, in [0, 1].
        epsilon: float in (0, 0.5).

    Returns:
        float32 tensor of the shape of `rho_hat`, nats.

    Reference:
        Ng, 2011, CS294A lecture notes, section 3.
    """
    rho_hat = tf.cast(rho_hat, "float32")

    def term(target: float, mean: tf.Tensor) -> tf.Tensor:
        # The complement has its own q: 1 - q would lose the digits near 1.
        q = epsilon + (1.0 - 2.0 * epsilon) * mean
        return target * (tf.math.log(target) - tf.math.log(q))

    return term(rho, rho_hat) + term(1.0 - rho, 1.0 - rho_hat)
