from typing import Any

import keras
import tensorflow as tf

from keras_vae.layers.k_sparse import KSparse
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models.autoencoder import Autoencoder
from keras_vae.typing import Network
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class KSparseAutoencoder(Autoencoder):
    """Autoencoder whose code keeps only its k largest activations.

    z = the k largest of encoder(x), zero elsewhere
    loss = reconstruction_loss = -log p(x | decoder(z))

    `evaluate`, `encode` and `reconstruct` keep round(inference_alpha * k),
    at the k that training has reached.

    Args:
        encoder: Keras model, data (batch, *event) to (batch, ..., width); in
            the paper linear.
        decoder: Keras model, codes to raw likelihood parameters
            (batch, *params_shape): logits, not probabilities.
        likelihood: `Likelihood` or its name; "squared_error" is the plain sum
            of squares.
        k: int in [1, width], or a `keras.optimizers.schedules.
            LearningRateSchedule` evaluated at `step`, rounded and clipped.
        inference_alpha: float > 0.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z)

    Raises:
        ValueError: if the networks do not fit each other or the likelihood,
            `k` is not in [1, width], or `inference_alpha` is not positive.

    Example:
    >>> encoder = keras_vae.networks.mlp_encoder((8, 8, 1), (64,), "linear")
    >>> decoder = keras_vae.networks.mlp_decoder(64, (8, 8, 1), units=())
    >>> model = keras_vae.KSparseAutoencoder(
    ...     encoder, decoder, k=5, inference_alpha=3.0
    ... )
    >>> z = model.encode(np.random.normal(size=(2, 8, 8, 1)))
    >>> np.count_nonzero(z, axis=1).tolist()
    [15, 15]

    Reference:
        Makhzani, Frey, 2014, section 2.1.
    """

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        likelihood: Likelihood | str = "squared_error",
        *,
        k: int | keras.optimizers.schedules.LearningRateSchedule,
        inference_alpha: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, **kwargs)
        self.k = k
        self.inference_alpha = inference_alpha
        self.k_sparse = KSparse(k, inference_alpha, name="k_sparse")
        self.k_sparse.count_steps_with(self.step)

    def build_latent(self, features_shape: Shape) -> Shape:
        if not self.k_sparse.built:
            self.k_sparse.build(features_shape)
        return features_shape

    def code(self, x: TensorLike, training: bool = False) -> tf.Tensor:
        # Not a call, which would count the step a second time.
        k = self.k_sparse.current_k(training)
        # What is not a training step may be compiled by others.
        sort = training and not self.jit_compile
        return self.k_sparse.keep(super().code(x, training), k, sort)

    def code_layers(self) -> list[keras.layers.Layer]:
        return [self.encoder, self.k_sparse]
