from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_vae.layers.vector_quantizer import VectorQuantizer
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import architecture
from keras_vae.models import specs
from keras_vae.models.encoder_decoder import EncoderDecoder
from keras_vae.models.quantized_codes import QuantizedCodes
from keras_vae.models.quantized_codes import check_index_shape
from keras_vae.typing import ExportSignature
from keras_vae.typing import Network
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class VQVAE(QuantizedCodes, EncoderDecoder):
    """Autoencoder whose codes are vectors of a codebook.

    z_q = the codebook vector nearest to each position of encoder(x)
    loss = reconstruction_loss + codebook_loss
        + commitment_weight * commitment_loss
    neg_elbo = reconstruction_loss + N log K >= -log p(x)

    for N positions and the uniform prior over K codes, `kl_loss`: it is
    constant, has weight 0 and belongs to every likelihood that is reported.
    A learned prior (`keras_vae.PixelSNAIL`) costs less, see
    `keras_vae.VQGenerator`. With moving averages, the default, there is no
    `codebook_loss`.

    Losses are sums over positions and dimensions. Where another program
    weighs means by w, and the squared error is over the data variance, the
    same objective is Normal(scale=data std) with
    commitment_weight = w P / (2 N D), P numbers per example.

    Args:
        encoder: Keras model, data (batch, *event) to features
            (batch, *positions, embedding_dim).
        decoder: Keras model, codes (batch, *positions, embedding_dim) to raw
            likelihood parameters (batch, *params_shape).
        num_embeddings: int >= 2, K.
        embedding_dim: int >= 1, D.
        likelihood: `Likelihood` or its name.
        commitment_weight: float >= 0.
        ema_decay: float in (0, 1), or None: the codebook is trained by
            gradients.
        quantizer_options: None, or dict of further arguments of
            `keras_vae.layers.VectorQuantizer`.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z_q)

    Raises:
        ValueError: if the networks do not fit each other, the codes or the
            likelihood, or a number is out of its range.

    Example:
    >>> encoder = keras_vae.networks.residual_encoder((8, 8, 1), 4)
    >>> decoder = keras_vae.networks.residual_decoder((2, 2, 4), (8, 8, 1))
    >>> model = keras_vae.VQVAE(encoder, decoder, 16, embedding_dim=4)
    >>> indices = model.encode_indices(np.zeros((5, 8, 8, 1), "float32"))
    >>> indices.shape, model.decode_indices(indices).shape
    (TensorShape([5, 2, 2]), TensorShape([5, 8, 8, 1]))

    Reference:
        van den Oord, Vinyals, Kavukcuoglu, 2017.
    """

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        num_embeddings: int,
        embedding_dim: int,
        likelihood: Likelihood | str = "squared_error",
        commitment_weight: float = 0.25,
        ema_decay: float | None = 0.99,
        quantizer_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, **kwargs)
        architecture.check_networks(encoder, decoder, self.likelihood)
        self.add_codebooks(
            [""],
            num_embeddings,
            embedding_dim,
            commitment_weight,
            ema_decay,
            quantizer_options,
        )

    def build_latent(self, features_shape: Shape) -> Shape:
        if not self.quantizer.built:
            self.quantizer.build(features_shape)
        return features_shape

    @property
    def quantizer(self) -> VectorQuantizer:
        """The `keras_vae.layers.VectorQuantizer`."""
        return self.quantizers[0]

    def code_shapes(self) -> list[tuple[int, ...]]:
        return [self.latent_shape()[:-1]]

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        z = self.encoder(x, training=training)
        quantized = self.quantizer.quantize(z, training)
        params = self.decoder(quantized.z_q, training=training)
        target = x if y is None else y
        log_prob = self.likelihood.log_prob(params, target, training)
        return self.quantized_terms(log_prob, [quantized])

    def encode_indices(self, x: TensorLike) -> tf.Tensor:
        """Codes of x, deterministic: int32 tensor (batch, *positions)."""
        z = self.encoder(self.ensure_built(x), training=False)
        return self.quantizer.encode_indices(z)

    def decode_indices(self, indices: TensorLike) -> tf.Tensor:
        """Mean of p(x | z): indices (batch, *positions) to (batch, *event)."""
        indices = tf.convert_to_tensor(indices)
        check_index_shape(indices, *self.code_shapes())
        return self.decode(self.quantizer.lookup(indices))

    def encode(self, x: TensorLike) -> tf.Tensor:
        """Vectors of the codes of x: float32 (batch, *latent_shape)."""
        return self.quantizer.lookup(self.encode_indices(x))

    def export_signatures(self) -> dict[str, ExportSignature]:
        x = specs.floats("x", self.event_shape)
        (shape,) = self.code_shapes()
        indices = tf.TensorSpec((None, *shape), "int32", name="indices")

        def encode_indices(x):
            return {"indices": self.encode_indices(x)}

        def decode_indices(indices):
            return {"reconstruction": self.decode_indices(indices)}

        return {
            **super().export_signatures(),
            "encode_indices": (encode_indices, [x]),
            "decode_indices": (decode_indices, [indices]),
        }
