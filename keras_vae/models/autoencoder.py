from typing import Any

import keras
import tensorflow as tf

from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import architecture
from keras_vae.models.encoder_decoder import EncoderDecoder
from keras_vae.typing import Network
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class Autoencoder(EncoderDecoder):
    """A deterministic code and the reconstruction from it.

    loss = reconstruction_loss = -log p(x | decoder(encoder(x)))

    Args:
        encoder: Keras model, data (batch, *event) to codes.
        decoder: Keras model, codes to raw likelihood parameters
            (batch, *params_shape): logits, not probabilities.
        likelihood: `Likelihood` or its name; "squared_error" is the plain sum
            of squares.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z)

    Raises:
        ValueError: if the networks do not fit each other or the likelihood.

    Example:
    >>> encoder = keras_vae.networks.mlp_encoder((8, 8, 1), units=(32, 4))
    >>> decoder = keras_vae.networks.mlp_decoder(4, (8, 8, 1), units=(32,))
    >>> model = keras_vae.Autoencoder(encoder, decoder)
    >>> model.reconstruct(np.zeros((5, 8, 8, 1), "float32")).shape
    TensorShape([5, 8, 8, 1])

    Reference:
        Hinton, Salakhutdinov, 2006.
    """

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        likelihood: Likelihood | str = "squared_error",
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, **kwargs)
        architecture.check_networks(encoder, decoder, self.likelihood)
        self.add_term("reconstruction_loss")

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        z = self.code(x, training)
        target = x if y is None else y
        return {
            "reconstruction_loss": self.reconstruction_loss(z, target, training)
        }

    def code(self, x: TensorLike, training: bool = False) -> tf.Tensor:
        """The code that the decoder takes: tensor (batch, *latent_shape)."""
        return self.encoder(x, training=training)

    def reconstruction_loss(
        self, z: tf.Tensor, target: TensorLike, training: bool
    ) -> tf.Tensor:
        """-log p(target | z): float32 tensor (batch,).

        Args:
            z: tensor (batch, *latent_shape).
            target: tensor (batch, *event).
            training: bool.
        """
        params = self.decoder(z, training=training)
        return -self.likelihood.log_prob(params, target, training)

    def code_layers(self) -> list[keras.layers.Layer]:
        """The layers that make the code, applied to x in this order."""
        return [self.encoder]

    def encode(self, x: TensorLike) -> tf.Tensor:
        return tf.cast(self.code(self.ensure_built(x)), "float32")
