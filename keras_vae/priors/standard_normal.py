from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.priors.prior import Prior
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class StandardNormal(Prior):
    """The standard normal, in closed form against normal posteriors.

    p(z) = N(z; 0, I)
    KL(N(m, diag(s**2)) || N(0, I)) = 0.5 sum_d m_d**2 + s_d**2 - 1 - log s_d**2

    Call arguments:
        z: tensor (..., latent_dim).

    Input shape:
        (..., latent_dim)

    Output shape:
        (...), log p(z) in nats

    Example:
    >>> prior = keras_vae.priors.StandardNormal()
    >>> round(float(prior(np.zeros((1, 2)))[0]), 4)
    -1.8379

    Reference:
        Kingma, Welling, 2014, appendix B.
    """

    def distribution(
        self, encode: Callable[..., Any] | None = None
    ) -> tfd.Distribution:
        zeros = tf.zeros([self._latent_dim])
        return tfd.Independent(tfd.Normal(zeros, tf.ones_like(zeros)), 1)

    def kl(
        self,
        posterior: tfd.Distribution,
        z: TensorLike,
        encode: Callable[..., Any] | None = None,
    ) -> tf.Tensor:
        prior = self.distribution()
        if isinstance(posterior, tfd.MultivariateNormalTriL):
            # The same prior, of the family whose closed form is registered.
            zeros = tf.zeros([self._latent_dim])
            prior = tfd.MultivariateNormalDiag(zeros, tf.ones_like(zeros))
        try:
            return tfd.kl_divergence(posterior, prior)
        except NotImplementedError:
            return super().kl(posterior, z)
