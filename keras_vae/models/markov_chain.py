"""The bound of latent variables in a chain, whatever infers them."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.random import Noise
from keras_vae.typing import Scalar

FORMS = ("kl", "consistency")


class Level(NamedTuple):
    """One latent variable of a chain, as inference drew it.

    Args:
        z: tensor (rows, *latent_shape).
        posterior: q(z_l | its parent in inference), tfd object over z.
        prior: p(z_l | z_{l+1}), tfd object over z.
        exact: bool, whether z_{l+1} was there before z_l: then the KL in
            closed form, given z_{l+1}, is that of the bound.
    """

    z: tf.Tensor
    posterior: tfd.Distribution
    prior: tfd.Distribution
    exact: bool

    def unit_kl(self, form: str = "kl") -> tf.Tensor:
        """Share of each unit in KL(q || p), nats: (rows, *latent_shape).

        Args:
            form: "kl": in closed form where that is exact, else the log-ratio
                of the drawn z. "consistency": the log-ratio.
        """
        posterior = self.posterior.distribution
        prior = self.prior.distribution
        if self.exact and form == "kl":
            return tfd.kl_divergence(posterior, prior)
        return posterior.log_prob(self.z) - prior.log_prob(self.z)

    def kl(self, form: str = "kl") -> tf.Tensor:
        """KL(q || p) or its one-sample estimate, nats: (rows,)."""
        terms = self.unit_kl(form)
        return tf.reduce_sum(terms, axis=list(range(1, terms.shape.rank)))

    def log_ratio(self) -> tf.Tensor:
        """log p(z_l | z_{l+1}) - log q(z_l | ...), nats: (rows,)."""
        return self.prior.log_prob(self.z) - self.posterior.log_prob(self.z)


def normal(mean: tf.Tensor, variance: tf.Tensor) -> tfd.Distribution:
    """Independent normal variables, the first axis is the batch."""
    distribution = tfd.Normal(mean, tf.sqrt(variance))
    return tfd.Independent(distribution, mean.shape.rank - 1)


def draw(
    distribution: tfd.Distribution,
    noise: Noise | None = None,
    temperature: Scalar = 1.0,
) -> tf.Tensor:
    """A sample of what `normal` made; its mean without noise."""
    mean = distribution.distribution.loc
    if noise is None:
        return mean
    drawn = noise.normal(tf.unstack(tf.shape(mean)))
    return mean + temperature * distribution.distribution.scale * drawn


def level_kls(levels: Sequence[Level], form: str = "kl") -> list[tf.Tensor]:
    """KL terms of a chain, bottom first: list of (rows,), nats.

    -log p(x) <= E[-log p(x | z_1)] + sum_l E[log q_l / p_l]

    The topmost is matched with the fixed p(z_L) in closed form in both forms
    where that is exact.
    """
    last = levels[-1]
    return [level.kl(form) for level in levels[:-1]] + [last.kl()]


def log_weight(levels: Sequence[Level]) -> tf.Tensor:
    """log p(z_1..L) - log q(z_1..L | x) of the joint draw: (rows,), nats."""
    return tf.add_n([level.log_ratio() for level in levels])
