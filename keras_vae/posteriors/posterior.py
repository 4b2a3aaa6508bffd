import math
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.arguments import positive_int
from keras_vae.random import Noise
from keras_vae.typing import Initializer
from keras_vae.typing import Scalar
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class Posterior(keras.layers.Layer):
    """Base of q(z | x): one dense layer on features, then a distribution.

    A subclass must override `params_size`, `to_distribution` and, unless its
    distribution is a location and a scale, `sample`. Features of rank above 2
    are flattened. All computations are in float32.

    Args:
        latent_dim: int >= 1, number of latent units.
        kernel_initializer: initializer of the dense layer.
    """

    def __init__(
        self,
        latent_dim: int,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.latent_dim = positive_int("latent_dim", latent_dim)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.head = keras.layers.Dense(
            self.params_size,
            kernel_initializer=self.kernel_initializer,
            dtype="float32",
            name="head",
        )

    @property
    def params_size(self) -> int:
        """Number of parameters of one example's distribution."""
        raise NotImplementedError

    def to_distribution(self, params: tf.Tensor) -> tfd.Distribution:
        """q(z|x) as a tfd object from `params` (batch, params_size)."""
        raise NotImplementedError

    def sample(
        self,
        distribution: tfd.Distribution,
        noise: Noise,
        num_samples: Scalar = 1,
    ) -> tf.Tensor:
        """Reparameterised samples, (num_samples, batch, latent_dim).

        Args:
            distribution: what `to_distribution` gave.
            noise: `keras_vae.random.Noise`.
            num_samples: int or scalar tensor.
        """
        raise NotImplementedError

    def distribution(self, features: TensorLike) -> tfd.Distribution:
        """q(z|x) as a tfd object, batch (batch,), event (latent_dim,).

        Args:
            features: tensor (batch, ...).
        """
        return self.to_distribution(self(features))

    def build(self, input_shape: Shape) -> None:
        self.head.build((None, math.prod(input_shape[1:])))

    def call(self, features: TensorLike) -> tf.Tensor:
        features = tf.cast(features, "float32")
        if features.shape.rank != 2:
            size = math.prod(features.shape[1:])
            features = tf.reshape(features, [-1, size])
        return self.head(features)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.params_size)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "latent_dim": self.latent_dim,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
