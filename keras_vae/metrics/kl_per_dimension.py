"""KL divergence of each latent unit."""

import keras
import numpy as np
from tensorflow_probability import distributions as tfd

from keras_vae.evaluation.batches import batches
from keras_vae.typing import Array
from keras_vae.typing import Batches


def kl_per_dimension(
    model: keras.Model, x: Batches, batch_size: int = 1000
) -> Array:
    """Return the mean KL divergence of each latent unit over a data set.

    kl_i = mean_x KL(q(z_i | x) || p(z_i)), the marginals being normal:

    KL = log(s_p / s_q) + (s_q**2 + (m_q - m_p)**2) / (2 s_p**2) - 1 / 2

    For a diagonal posterior and prior the units sum to the mean `kl_loss`.

    Args:
        model: A model with `posterior` and `prior_distribution`, both normal
            (diagonal or with a full covariance), such as `keras_vae.VAE`.
        x: Array, or batched `tf.data.Dataset` of inputs (or of tuples that
            begin with them).
        batch_size: Examples encoded at a time. Defaults to 1000.

    Returns:
        float64 array of nats, shape `(latent_dim,)`.

    Raises:
        ValueError: If the posterior or the prior is not normal: the marginals
            of a mixture have no closed form.
    """
    total, count = 0.0, 0
    for batch in batches(x, batch_size):
        mean, stddev = _normal_moments(model.posterior(batch), "posterior")
        # Inside the loop: a model that was not built yet now is.
        prior_mean, prior_stddev = _normal_moments(
            model.prior_distribution(), "prior"
        )
        ratio = np.square(stddev / prior_stddev)
        distance = np.square((mean - prior_mean) / prior_stddev)
        kl = 0.5 * (ratio - 1.0 - np.log(ratio) + distance)
        total = total + kl.sum(axis=0)
        count += len(kl)
    return np.asarray(total / count)


def _normal_moments(
    distribution: tfd.Distribution, role: str
) -> tuple[Array, Array]:
    """Mean and standard deviation of each unit, in float64."""
    normal = isinstance(distribution, tfd.MultivariateNormalLinearOperator) or (
        isinstance(distribution, tfd.Independent)
        and isinstance(distribution.distribution, tfd.Normal)
    )
    if not normal:
        raise ValueError(
            f"The KL divergence of a unit needs a normal {role}; the "
            '"variance" definition of active units does not. '
            f"Received: {role}={distribution}"
        )
    return tuple(
        keras.ops.convert_to_numpy(moment).astype("float64")
        for moment in (distribution.mean(), distribution.stddev())
    )
