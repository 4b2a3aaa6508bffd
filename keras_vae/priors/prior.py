from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae.typing import Scalar
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class Prior(keras.layers.Layer):
    """Base of p(z).

    A subclass must override `distribution` and create its weights in `build`;
    it may override `kl` where a closed form exists. All computations are in
    float32.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def build(self, z_shape: Shape, encode_shape: Shape | None = None) -> None:
        """Creates the weights.

        Keras asks for names of arguments of `call`, with `_shape`.

        Args:
            z_shape: (None, latent_dim).
            encode_shape: shape of one example of what `encode` takes.
        """
        self._latent_dim = z_shape[-1]

    def distribution(
        self, encode: Callable[..., Any] | None = None
    ) -> tfd.Distribution:
        """p(z) as a tfd object, batch (), event (latent_dim,).

        Args:
            encode: callable, data to q(z|x); only `VampPrior` needs it.
        """
        raise NotImplementedError

    def kl(
        self,
        posterior: tfd.Distribution,
        z: TensorLike,
        encode: Callable[..., Any] | None = None,
    ) -> tf.Tensor:
        """KL(q(z|x) || p(z)) in nats: float32 (batch,).

        Estimated from the samples, unless a subclass knows a closed form.

        Args:
            posterior: tfd object, batch (batch,).
            z: samples of it, (num_samples, batch, latent_dim).
            encode: see `distribution`.
        """
        log_ratio = posterior.log_prob(z)
        log_ratio -= self.distribution(encode).log_prob(z)
        return tf.reduce_mean(log_ratio, axis=0)

    def sample(
        self,
        num: Scalar,
        seed: TensorLike,
        temperature: Scalar = 1.0,
        encode: Callable[..., Any] | None = None,
    ) -> tf.Tensor:
        """Samples (num, latent_dim), deviations from the mean scaled.

        Args:
            num: int or scalar tensor.
            seed: integer tensor of shape (2,).
            temperature: float; 0 gives means, 1 the prior.
            encode: see `distribution`.
        """
        distribution = self.distribution(encode)
        if not isinstance(distribution, tfd.MixtureSameFamily):
            mean = distribution.mean()
            return mean + temperature * (
                distribution.sample(num, seed=seed) - mean
            )
        # Around the mean of its own component, else components would merge.
        which, around = tfp.random.split_seed(seed, n=2)
        index = distribution.mixture_distribution.sample(num, seed=which)
        components = distribution.components_distribution
        z = components.sample(num, seed=around)
        z = components.mean() + temperature * (z - components.mean())
        return tf.gather(z, index, axis=1, batch_dims=1)

    def call(
        self, z: TensorLike, encode: Callable[..., Any] | None = None
    ) -> tf.Tensor:
        return self.distribution(encode).log_prob(z)
