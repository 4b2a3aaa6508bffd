from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae import random
from keras_vae.layers.corruption import Corruption
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.losses import sum_event
from keras_vae.models.autoencoder import Autoencoder
from keras_vae.typing import Network
from keras_vae.typing import Seed
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class DenoisingAutoencoder(Autoencoder):
    """Reconstructs the clean data from a corrupted copy.

    x_tilde ~ C(x)
    loss = reconstruction_loss
         = sum_i w_i * -log p(x_i | decoder(encoder(x_tilde)))
    w_i = corrupted_weight where x_i was corrupted, else clean_weight

    The corruption is drawn anew at every presentation, in `fit` and in
    `evaluate`; `call`, `encode`, `reconstruct` and `decode` never corrupt.

    Pairs of noisy and clean data come as `fit(x_noisy, x_clean)`. Then an
    element counts as corrupted where the two differ, or where the corruption,
    if there is one too, has struck.

    Args:
        encoder: Keras model, data (batch, *event) to codes.
        decoder: Keras model, codes to raw likelihood parameters
            (batch, *params_shape): logits, not probabilities.
        likelihood: `Likelihood` or its name; "squared_error" is the plain sum
            of squares.
        corruption: `Corruption` layer, or None: x comes corrupted, and `fit`
            needs the clean data as its target.
        corrupted_weight: float >= 0, emphasis on the corrupted elements.
        clean_weight: float >= 0, emphasis on the others; 0 is full emphasis.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z)

    Raises:
        ValueError: if the networks do not fit each other or the likelihood,
            `corruption` is no such layer, a weight is negative or both are 0,
            or a weight is not 1 under a likelihood that is no product over
            elements.

    Example:
    >>> encoder = keras_vae.networks.mlp_encoder((8, 8, 1), units=(32,))
    >>> decoder = keras_vae.networks.mlp_decoder(32, (8, 8, 1), units=(32,))
    >>> noise = keras_vae.layers.MaskingNoise(0.25)
    >>> model = keras_vae.DenoisingAutoencoder(
    ...     encoder, decoder, "bernoulli", corruption=noise
    ... )
    >>> x_tilde, mask = model.corrupt(np.ones((5, 8, 8, 1)), seed=0)
    >>> bool(tf.reduce_all((x_tilde == 0.0) == mask))
    True

    Reference:
        Vincent, Larochelle, Lajoie, Bengio, Manzagol, 2010, sections 3.1 and
        3.4.
    """

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        likelihood: Likelihood | str = "squared_error",
        corruption: Corruption | None = None,
        corrupted_weight: float = 1.0,
        clean_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, **kwargs)
        if corruption is not None and not isinstance(corruption, Corruption):
            raise ValueError(
                "`corruption` must be None or a layer such as "
                "`keras_vae.layers.MaskingNoise`. "
                f"Received: corruption={corruption!r}"
            )
        weights = {
            "corrupted_weight": corrupted_weight,
            "clean_weight": clean_weight,
        }
        for name, weight in weights.items():
            if not 0.0 <= weight < np.inf:
                raise ValueError(
                    f"`{name}` must be finite and not negative. "
                    f"Received: {name}={weight}"
                )
        if not any(weights.values()):
            raise ValueError(
                "`corrupted_weight` and `clean_weight` must not both be 0. "
                f"Received: {weights}"
            )
        self.corruption = corruption
        self.corrupted_weight = corrupted_weight
        self.clean_weight = clean_weight
        if self._has_emphasis():
            self.likelihood.check_factorized()

    def _has_emphasis(self):
        return (self.corrupted_weight, self.clean_weight) != (1.0, 1.0)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        if self.corruption is not None and not self.corruption.built:
            self.corruption.build(tuple(input_shape))

    def check_data(self, x: Any, y: Any = None) -> None:
        self._check_target(y)
        super().check_data(x, y)

    def _check_target(self, y):
        if self.corruption is None and y is None:
            raise ValueError(
                "Without a `corruption` the inputs must come corrupted, with "
                "the clean data as their target: `fit(x_noisy, x_clean)`. "
                "Received: corruption=None, y=None"
            )

    def corrupt(
        self, x: TensorLike, seed: Seed | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What the encoder is given in training.

        Args:
            x: array (batch, *event_shape).
            seed: None, int or integer tensor (2,); the same seed gives the
                same corruption, None a fresh one.

        Returns:
            x_tilde, float32 tensor (batch, *event_shape), and a bool tensor
            of its shape, True where x was corrupted.
        """
        if self.corruption is None:
            raise ValueError(
                "There is no `corruption` to apply: this model takes inputs "
                "that come corrupted. Received: corruption=None"
            )
        x = tf.cast(x, "float32")
        with random.noise_scope(random.Noise(random.as_seed(seed))):
            return self.corruption.corrupt(x)

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        self._check_target(y)
        target = x if y is None else y
        x_tilde, corrupted = x, tf.zeros(tf.shape(x), "bool")
        if self.corruption is not None:
            x_tilde, corrupted = self.corruption.corrupt(x)
        z = self.code(x_tilde, training)
        if not self._has_emphasis():
            loss = self.reconstruction_loss(z, target, training)
            return {"reconstruction_loss": loss}
        weights = tf.where(
            tf.logical_or(corrupted, tf.not_equal(x, target)),
            float(self.corrupted_weight),
            float(self.clean_weight),
        )
        params = self.decoder(z, training=training)
        log_prob = self.likelihood.pointwise_log_prob(params, target, training)
        loss = -sum_event(weights * log_prob, self.likelihood.event_rank)
        return {"reconstruction_loss": loss}
