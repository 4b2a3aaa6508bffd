import keras
import tensorflow as tf

from keras_vae import data_checks
from keras_vae import likelihoods
from keras_vae.models import architecture
from keras_vae.models.base import TermModel


@keras.saving.register_keras_serializable(package="keras_vae")
class EncoderDecoder(TermModel):
    """Base of the models with an encoder, a decoder and a likelihood.

    A subclass must declare terms, override `compute_terms` and `encode`, and
    `build_latent` and `latent_shape` if something lies between the networks.

    Args:
        encoder: Keras model, data (batch, *event) to features or codes.
        decoder: Keras model, codes to raw likelihood parameters
            (batch, *params_shape).
        likelihood: `Likelihood` or its name.
        **kwargs: `seed`, `name`, `dtype`.
    """

    def __init__(self, encoder, decoder, likelihood, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihoods.get(likelihood)
        self._event_shape = None

    def latent_shape(self):
        """Shape of one code; known once the model is built."""
        raise NotImplementedError

    def encode(self, x):
        """Deterministic codes of x: tensor (batch, *latent_shape)."""
        raise NotImplementedError

    @property
    def event_shape(self):
        """Shape of one example; known once the model is built."""
        if self._event_shape is None:
            raise ValueError(
                f"{type(self).__name__} is not built: call it on a batch, or "
                "`build((None, *event_shape))`. Received: built=False"
            )
        return self._event_shape

    def build(self, input_shape):
        self._event_shape = tuple(input_shape)[1:]
        batch_shape = (None, *self._event_shape)
        if not self.encoder.built:
            self.encoder.build(batch_shape)
        features_shape = self.encoder.compute_output_shape(batch_shape)
        latent_shape = self.build_latent(features_shape)
        if not self.decoder.built:
            self.decoder.build(latent_shape)
        params_shape = self.decoder.compute_output_shape(latent_shape)
        architecture.check_params(
            params_shape[1:], self._event_shape, self.likelihood
        )
        if not self.likelihood.built:
            self.likelihood.build(tuple(params_shape))
        self.build_groups()

    def build_latent(self, features_shape):
        """Builds what lies between the networks; returns the codes' shape."""
        return features_shape

    def check_data(self, x, y=None):
        data_checks.check_target(x, y)
        if self._event_shape is None:
            expected = architecture.event_shape(self.encoder)
        else:
            expected = self._event_shape
        if expected is not None and x.shape[1:] != tuple(expected):
            raise ValueError(
                f"`x` must have shape (batch, *{tuple(expected)}), as the "
                f"encoder. Received: x of shape {x.shape}"
            )
        data_checks.check_dtype(x, "x")
        data_checks.check_finite(x, "x")
        if y is None:
            self.likelihood.validate(x, "x")
        else:
            self.likelihood.validate(y, "y")

    def decode(self, z):
        """Mean of p(x | z): float32 tensor (batch, *event_shape)."""
        return self.likelihood.mean(self.decoder(z, training=False))

    def reconstruct(self, x):
        """Mean of p(x | z) at the code of x: tensor (batch, *event_shape)."""
        return self.decode(self.encode(x))

    def call(self, x, training=False):
        return self.reconstruct(x)

    def output_distribution(self, z):
        """p(x | z) as a tfd object, event (*event_shape,)."""
        return self.likelihood.distribution(self.decoder(z, training=False))

    def ensure_built(self, x):
        """x as a tensor; the model is built for it if it was not."""
        x = tf.convert_to_tensor(x)
        if not self.built:
            self.build((None, *x.shape[1:]))
        return x

    def export_signatures(self):
        """Named functions for a SavedModel, see `keras_vae.export_model`.

        Returns:
            dict of name to (function, list of `tf.TensorSpec`); functions
            take tensors by position and return dicts of tensors.
        """
        x = tf.TensorSpec((None, *self.event_shape), "float32", name="x")
        z = tf.TensorSpec((None, *self.latent_shape()), "float32", name="z")

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
