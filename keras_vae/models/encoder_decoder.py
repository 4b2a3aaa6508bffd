from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import architecture
from keras_vae.models import specs
from keras_vae.models.likelihood_model import LikelihoodModel
from keras_vae.typing import ExportSignature
from keras_vae.typing import Network
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class EncoderDecoder(LikelihoodModel):
    """Base of the models with one encoder, one decoder and a likelihood.

    A subclass must declare terms, override `compute_terms` and `encode`, and
    `build_latent` and `latent_shape` if something lies between the networks.

    Args:
        encoder: Keras model, data (batch, *event) to features or codes.
        decoder: Keras model, codes to raw likelihood parameters
            (batch, *params_shape).
        likelihood: `Likelihood` or its name.
        **kwargs: `seed`, `name`, `dtype`.
    """

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        likelihood: Likelihood | str,
        **kwargs: Any,
    ) -> None:
        super().__init__(likelihood, **kwargs)
        self.encoder = encoder
        self.decoder = decoder

    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one code; known once the model is built."""
        shape = self.encoder.compute_output_shape((None, *self.event_shape))
        return tuple(shape)[1:]

    def known_event_shape(self) -> tuple[int, ...] | None:
        return architecture.event_shape(self.encoder)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        features_shape = architecture.build(
            self.encoder, (None, *self.event_shape)
        )
        latent_shape = self.build_latent(features_shape)
        self.build_likelihood(architecture.build(self.decoder, latent_shape))
        self.build_groups()

    def build_latent(self, features_shape: Shape) -> Shape:
        """Builds what lies between the networks; returns the codes' shape."""
        return features_shape

    def decode(self, z: TensorLike) -> tf.Tensor:
        return self.likelihood.mean(self._decoded(z))

    def output_distribution(self, z: TensorLike) -> tfd.Distribution:
        """p(x | z) as a tfd object, event (*event_shape,)."""
        return self.likelihood.distribution(self._decoded(z))

    def export_signatures(self) -> dict[str, ExportSignature]:
        """Named functions for a SavedModel, see `keras_vae.export_model`.

        Returns:
            dict of name to (function, list of `tf.TensorSpec`); functions
            take tensors by position and return dicts of tensors.
        """
        x = specs.floats("x", self.event_shape)
        z = specs.floats("z", self.latent_shape())

        def reconstruct(x):
            return {"reconstruction": self.reconstruct(x)}

        def encode(x):
            return {"z": self.encode(x)}

        def decode(z):
            return {"reconstruction": self.decode(z)}

        return {
            "serving_default": (reconstruct, [x]),
            "reconstruct": (reconstruct, [x]),
            "encode": (encode, [x]),
            "decode": (decode, [z]),
        }
