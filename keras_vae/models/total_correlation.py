"""The KL of a VAE in three parts, from the global batch."""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import random
from keras_vae.random import Noise
from keras_vae.typing import Scalar


def global_rows(
    values: tf.Tensor, first: tf.Tensor, total: tf.Tensor
) -> tf.Tensor:
    """Rows of all replicas, in the order of the global batch.

    Args:
        values: tensor (rows, ...), those of this replica.
        first, total: as of `keras_vae.random.global_span`.

    Returns:
        tensor (total, ...); its gradient reaches every replica's rows.
    """
    if random.num_replicas() == 1:
        return values
    rows = tf.shape(values)[0]
    after = total - first - rows
    rest = [[0, 0]] * (values.shape.rank - 1)
    return random.all_reduce_sum(tf.pad(values, [[first, after], *rest]))


def log_weights(
    kind: str,
    first: tf.Tensor,
    rows: Scalar,
    total: tf.Tensor,
    num_examples: int,
) -> tf.Tensor:
    """Logarithms of the weights of q(z_i | x_j) in log q(z_i).

    Args:
        kind: "weighted": 1 / (N M) each. "stratified": those of an unbiased
            estimate: 1 / N of the example itself, (N - M + 1) / (N (M - 1))
            of the next one in the batch, 1 / (M - 1) of each other.
        first, rows, total: which rows of the global batch of M count.
        num_examples: int, N.

    Returns:
        float32 tensor (rows, M).

    Reference:
        Chen, Li, Grosse, Duvenaud, 2018, appendix C.
    """
    n, m = float(num_examples), tf.cast(total, "float32")
    if kind == "weighted":
        return tf.fill([rows, total], -math.log(n) - tf.math.log(m))
    others = tf.maximum(m - 1.0, 1.0)
    own = first + tf.range(rows)
    weights = tf.fill([rows, total], 1.0 / others)
    columns = tf.range(total)[tf.newaxis]
    following = (own + 1) % tf.maximum(total, 1)
    # At most N examples are in the batch, or its last share is negative.
    share = tf.maximum((n - others) / (n * others), 0.0)
    weights = tf.where(columns == following[:, tf.newaxis], share, weights)
    weights = tf.where(columns == own[:, tf.newaxis], 1.0 / n, weights)
    return tf.math.log(weights)


def decomposed_kl(
    z: tf.Tensor,
    posterior: tfd.Distribution,
    prior: tfd.Distribution,
    kind: str,
    num_examples: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """KL(q(z|x) || p(z)) = mutual information + total correlation + rest.

    I(z; x)  = E[log q(z|x) - log q(z)]
    TC       = E[log q(z) - sum_d log q(z_d)]
    rest     = E[sum_d log q(z_d) - log p(z)]

    Args:
        z: tensor (rows, latent_dim), drawn from the posterior.
        posterior: tfd of independent normal units, batch (rows,).
        prior: tfd over z.
        kind, num_examples: see `log_weights`.

    Returns:
        tuple of three tensors (rows,), nats.
    """
    first, total = random.global_span(tf.shape(z)[0])
    normal = posterior.distribution
    mean, scale = (
        global_rows(values, first, total)
        for values in (normal.loc, normal.scale)
    )
    weights = log_weights(kind, first, tf.shape(z)[0], total, num_examples)
    constant = 0.5 * math.log(2.0 * math.pi)
    # A matrix for each unit: three times as fast as one tensor of all.
    joint, log_product = weights, tf.zeros([])
    for point, center, width in zip(
        *(tf.unstack(values, axis=1) for values in (z, mean, scale))
    ):
        error = (point[:, tf.newaxis] - center) * (1.0 / width)
        log_q = -0.5 * error**2 - (tf.math.log(width) + constant)
        joint += log_q
        log_product += tf.reduce_logsumexp(weights + log_q, axis=1)
    log_joint = tf.reduce_logsumexp(joint, axis=1)
    return (
        posterior.log_prob(z) - log_joint,
        log_joint - log_product,
        log_product - prior.log_prob(z),
    )


def shuffled_units(z: tf.Tensor, noise: Noise) -> tf.Tensor:
    """Each unit of z permuted over the global batch, on its own.

    Args:
        z: tensor (rows, latent_dim).
        noise: `keras_vae.random.Noise`.

    Returns:
        tensor (rows, latent_dim), without gradient.

    Reference:
        Kim, Mnih, 2018, algorithm 1.
    """
    rows, units = tf.shape(z)[0], z.shape[1]
    first, total = random.global_span(rows)
    everything = global_rows(tf.stop_gradient(z), first, total)
    order = tf.argsort(noise.shared_uniform([total, units]), axis=0)
    mine = order[first : first + rows]
    by_unit = tf.gather(
        tf.transpose(everything), tf.transpose(mine), axis=1, batch_dims=1
    )
    return tf.transpose(by_unit)
