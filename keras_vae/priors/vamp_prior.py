from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.arguments import positive_int
from keras_vae.priors.prior import Prior
from keras_vae.typing import Activation
from keras_vae.typing import Shape


@keras.saving.register_keras_serializable(package="keras_vae")
class VampPrior(Prior):
    """The aggregate posterior of trainable pseudo-inputs u_1..u_K.

    p(z) = 1/K sum_k q(z | u_k)

    Args:
        num_components: int >= 1, K.
        activation: activation that maps the weights to pseudo-inputs:
            "sigmoid" for data in [0, 1], "linear" for data on the real line.

    Call arguments:
        z: tensor (..., latent_dim).
        encode: callable, data (K, *event) to q(z|x) as a tfd object.

    Input shape:
        (..., latent_dim)

    Output shape:
        (...), log p(z) in nats

    Raises:
        ValueError: if `num_components` is not positive, or `encode` or the
            shape of what it takes is missing.

    Example:
    >>> prior = keras_vae.priors.VampPrior(5)
    >>> prior.build((None, 2), (8, 8, 1))
    >>> posterior = keras_vae.posteriors.DiagonalNormal(2)
    >>> prior(np.zeros((3, 2)), encode=posterior.distribution).shape
    TensorShape([3])

    Reference:
        Tomczak, Welling, 2018, equation 9.
    """

    def __init__(
        self,
        num_components: int,
        activation: Activation = "sigmoid",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_components = positive_int("num_components", num_components)
        self.activation = keras.activations.get(activation)

    def build(self, z_shape: Shape, encode_shape: Shape | None = None) -> None:
        if encode_shape is None:
            raise ValueError(
                "VampPrior must be built with the shape of an example, "
                "`build((None, latent_dim), event_shape)`. "
                f"Received: encode_shape={encode_shape}"
            )
        super().build(z_shape, encode_shape)
        self.pseudo_weights = self.add_weight(
            name="pseudo_weights",
            shape=(self.num_components, *encode_shape),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            autocast=False,
        )

    def pseudo_inputs(self) -> tf.Tensor:
        """The pseudo-inputs, tensor (K, *event)."""
        return self.activation(tf.convert_to_tensor(self.pseudo_weights))

    def distribution(
        self, encode: Callable[..., Any] | None = None
    ) -> tfd.Distribution:
        if encode is None:
            raise ValueError(
                "VampPrior needs `encode`, a callable from data to q(z|x). "
                "Received: encode=None"
            )
        return tfd.MixtureSameFamily(
            tfd.Categorical(logits=tf.zeros([self.num_components])),
            encode(self.pseudo_inputs()),
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_components": self.num_components,
            "activation": keras.activations.serialize(self.activation),
        }
