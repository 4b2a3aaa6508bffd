import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.posteriors.posterior import Posterior
from keras_vae.random import Noise
from keras_vae.typing import Scalar

# exp(0.5 * 30) is far outside any use and far inside float32.
_MAX_LOG_VAR = 30.0


@keras.saving.register_keras_serializable(package="keras_vae")
class DiagonalNormal(Posterior):
    """Normal posterior of independent units, linear in the features.

    q(z|x) = N(z_mean, diag(exp(z_log_var)))

    Args:
        latent_dim: int >= 1, number of latent units.
        kernel_initializer: initializer of the dense layer.

    Call arguments:
        features: tensor (batch, ...).

    Input shape:
        (batch, ...)

    Output shape:
        (batch, 2 * latent_dim): z_mean, then z_log_var

    Raises:
        ValueError: if `latent_dim` is not a positive int.

    Example:
    >>> posterior = keras_vae.posteriors.DiagonalNormal(2)
    >>> posterior.distribution(np.zeros((5, 3), "float32")).mean().shape
    TensorShape([5, 2])

    Reference:
        Kingma, Welling, 2014, equation 9.
    """

    @property
    def params_size(self) -> int:
        return 2 * self.latent_dim

    def to_distribution(self, params: tf.Tensor) -> tfd.Distribution:
        z_mean, z_log_var = tf.split(params, 2, axis=-1)
        z_log_var = tf.clip_by_value(z_log_var, -_MAX_LOG_VAR, _MAX_LOG_VAR)
        return tfd.Independent(tfd.Normal(z_mean, tf.exp(0.5 * z_log_var)), 1)

    def sample(
        self,
        distribution: tfd.Distribution,
        noise: Noise,
        num_samples: Scalar = 1,
    ) -> tf.Tensor:
        normal = distribution.distribution
        shape = [num_samples, tf.shape(normal.loc)[0], self.latent_dim]
        return normal.loc + normal.scale * noise.normal(shape, axis=1)
