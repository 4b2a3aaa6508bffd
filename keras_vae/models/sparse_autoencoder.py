from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.arguments import non_negative
from keras_vae.layers.bernoulli_sparsity_regularizer import (
    BernoulliSparsityRegularizer,
)
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import hidden_layers
from keras_vae.models.autoencoder import Autoencoder
from keras_vae.typing import Network
from keras_vae.typing import Shape
from keras_vae.typing import Weight


@keras.saving.register_keras_serializable(package="keras_vae")
class SparseAutoencoder(Autoencoder):
    """Autoencoder whose hidden units are active a small part of the time.

    loss = reconstruction_loss + beta * sparsity_loss
    sparsity_loss = sum over named layers and their units j of
        KL(rho || rho_hat_j),  rho_hat_j the mean activation of the batch

    The activations must be in [0, 1], those of a sigmoid.

    Args:
        encoder: Keras model, data (batch, *event) to codes.
        decoder: Keras model, codes to raw likelihood parameters
            (batch, *params_shape): logits, not probabilities.
        likelihood: `Likelihood` or its name; "squared_error" is the plain sum
            of squares.
        rho: float in (0, 1), the target of every mean activation.
        beta: float >= 0, or a `keras.optimizers.schedules.
            LearningRateSchedule` evaluated at `step`.
        layers: None, the code, or names of layers of the encoder and of the
            decoder, which then must be Functional or Sequential.
        momentum: None, or float in [0, 1): a running mean takes the place of
            the mean of a small batch, see `BernoulliSparsityRegularizer`.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z)

    Raises:
        ValueError: if the networks do not fit each other or the likelihood,
            a layer is not known, or a number is out of its range.

    Example:
    >>> encoder = keras_vae.networks.mlp_encoder((8, 8, 1), (25,), "sigmoid")
    >>> decoder = keras_vae.networks.mlp_decoder(25, (8, 8, 1), units=())
    >>> model = keras_vae.SparseAutoencoder(encoder, decoder, rho=0.1)
    >>> model.reconstruct(np.zeros((5, 8, 8, 1), "float32")).shape
    TensorShape([5, 8, 8, 1])

    Reference:
        Ng, 2011, CS294A lecture notes, section 3.
    """

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        likelihood: Likelihood | str = "squared_error",
        rho: float = 0.05,
        beta: Weight = 3.0,
        layers: Sequence[str] | None = None,
        momentum: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, **kwargs)
        if layers is not None and (isinstance(layers, str) or not layers):
            raise ValueError(
                "`layers` must be None or a list of names of layers. "
                f"Received: layers={layers!r}"
            )
        non_negative("beta", beta)
        self.rho = rho
        self.beta = beta
        self.sparse_layers = None if layers is None else list(layers)
        self.momentum = momentum
        # Only their penalties: the weight is that of the term.
        self.regularizers = [
            BernoulliSparsityRegularizer(rho, momentum=momentum)
            for _ in layers or ["code"]
        ]
        self.add_term("sparsity_loss", beta)

    # Keras has a property `layers`.
    config_attributes = {"layers": "sparse_layers"}

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        names = self.sparse_layers or []
        of_encoder, of_decoder = hidden_layers.divide(
            names, self.encoder, self.decoder
        )
        # Functions, which Keras does not track: they hold no new layers.
        self._encode = hidden_layers.with_activations(self.encoder, of_encoder)
        self._decode = hidden_layers.with_activations(self.decoder, of_decoder)
        shapes = [
            *(hidden_layers.output(self.encoder, n).shape for n in of_encoder),
            *(hidden_layers.output(self.decoder, n).shape for n in of_decoder),
        ]
        shapes = shapes or [(None, *self.latent_shape())]
        for regularizer, shape in zip(self.regularizers, shapes, strict=True):
            if not regularizer.built:
                regularizer.build(shape)

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        z, activations = self._encode(x, training)
        params, more = self._decode(z, training)
        activations = [*activations, *more] or [z]
        target = x if y is None else y
        log_prob = self.likelihood.log_prob(params, target, training)
        penalties = [
            regularizer.penalty(activation, training)
            for regularizer, activation in zip(self.regularizers, activations)
        ]
        return {
            "reconstruction_loss": -log_prob,
            "sparsity_loss": tf.add_n(penalties),
        }
