import keras
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae.posteriors.posterior import Posterior
from keras_vae.random import Noise
from keras_vae.typing import Scalar

_MAX_LOG_SCALE = 15.0


@keras.saving.register_keras_serializable(package="keras_vae")
class FullCovarianceNormal(Posterior):
    """Normal posterior of correlated units.

    q(z|x) = N(z_mean, L L'),  L lower triangular with a positive diagonal

    The diagonal of L is the exponential of the dense layer's output.

    Args:
        latent_dim: int >= 1, number of latent units.
        kernel_initializer: initializer of the dense layer.

    Call arguments:
        features: tensor (batch, ...).

    Input shape:
        (batch, ...)

    Output shape:
        (batch, latent_dim + latent_dim * (latent_dim + 1) / 2)

    Raises:
        ValueError: if `latent_dim` is not a positive int.

    Example:
    >>> posterior = keras_vae.posteriors.FullCovarianceNormal(2)
    >>> features = np.zeros((5, 3), "float32")
    >>> posterior.distribution(features).covariance().shape
    TensorShape([5, 2, 2])

    Reference:
        Kingma, Welling, 2019, section 2.5.1.
    """

    @property
    def params_size(self) -> int:
        return self.latent_dim + self.latent_dim * (self.latent_dim + 1) // 2

    def to_distribution(self, params: tf.Tensor) -> tfd.Distribution:
        triangle = self.params_size - self.latent_dim
        z_mean, raw = tf.split(params, [self.latent_dim, triangle], axis=-1)
        scale = tfp.math.fill_triangular(raw)
        # `set_diag` has no gradient under XLA for batches of unknown size.
        scale = tf.where(
            tf.eye(self.latent_dim, dtype="bool"),
            tf.exp(tf.clip_by_value(scale, -_MAX_LOG_SCALE, _MAX_LOG_SCALE)),
            scale,
        )
        return tfd.MultivariateNormalTriL(z_mean, scale)

    def sample(
        self,
        distribution: tfd.Distribution,
        noise: Noise,
        num_samples: Scalar = 1,
    ) -> tf.Tensor:
        z_mean = distribution.loc
        shape = [num_samples, tf.shape(z_mean)[0], self.latent_dim]
        return z_mean + distribution.scale.matvec(noise.normal(shape, axis=1))
