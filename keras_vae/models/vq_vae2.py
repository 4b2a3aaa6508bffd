from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import architecture
from keras_vae.models import specs
from keras_vae.models.likelihood_model import LikelihoodModel
from keras_vae.models.quantized_codes import QuantizedCodes
from keras_vae.models.quantized_codes import check_index_shape
from keras_vae.typing import ExportSignature
from keras_vae.typing import Network
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class VQVAE2(QuantizedCodes, LikelihoodModel):
    """VQ-VAE with codes at several resolutions.

    f_1 = encoder_1(x),  f_l = encoder_l(f_{l-1})
    z_L = nearest codes of W_L f_L
    z_l = nearest codes of W_l [f_l, upsampler_l(z_{l+1})]
    loss = reconstruction_loss
        + sum_l codebook_loss_l + commitment_weight * commitment_loss_l
    neg_elbo = reconstruction_loss + sum_l N_l log K_l

    Level 1 is the bottom, nearest the data; lists are bottom first. W_l are
    linear layers of the model. `keras_vae.networks.vq_vae2_networks` builds
    the networks of the paper, and `keras_vae.VQGenerator` joins the model
    with learned priors. Losses are sums, see `keras_vae.VQVAE`.

    Args:
        encoders: list of L Keras models: x (batch, *event) to features of
            level 1, then features of one level to those of the next.
        upsamplers: list of L - 1 Keras models: codes of level l + 1
            (batch, *positions, embedding_dim) to features at the positions
            of level l.
        decoder: Keras model, a list of the codes of all levels to raw
            likelihood parameters (batch, *params_shape).
        num_embeddings: int >= 2, or a list of them by level.
        embedding_dim: int >= 1, D of all levels.
        likelihood: `Likelihood` or its name.
        commitment_weight: float >= 0.
        ema_decay: float in (0, 1), or None: the codebooks are trained by
            gradients.
        quantizer_options: None, or dict of further arguments of
            `keras_vae.layers.VectorQuantizer`.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z_1..L)

    Raises:
        ValueError: if the lists do not fit each other, the networks do not
            fit the codes or the likelihood, or a number is out of its range.

    Example:
    >>> networks = keras_vae.networks.vq_vae2_networks(
    ...     (16, 16, 1), embedding_dim=4, filters=8
    ... )
    >>> model = keras_vae.VQVAE2(*networks, 16, embedding_dim=4)
    >>> indices = model.encode_indices(np.zeros((5, 16, 16, 1), "float32"))
    >>> [level.shape.as_list() for level in indices]
    [[5, 4, 4], [5, 2, 2]]

    Reference:
        Razavi, van den Oord, Vinyals, 2019.
    """

    def __init__(
        self,
        encoders: Sequence[Network],
        upsamplers: Sequence[Network],
        decoder: Network,
        num_embeddings: int | Sequence[int],
        embedding_dim: int,
        likelihood: Likelihood | str = "squared_error",
        commitment_weight: float = 0.25,
        ema_decay: float | None = 0.99,
        quantizer_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(likelihood, **kwargs)
        levels = len(encoders)
        if levels < 1:
            raise ValueError(
                "`encoders` must hold a model for each level. "
                f"Received: encoders={encoders}"
            )
        if len(upsamplers) != levels - 1:
            raise ValueError(
                f"`upsamplers` must hold {levels - 1} models, one less than "
                f"`encoders`. Received: {len(upsamplers)} upsamplers"
            )
        architecture.check_activation(decoder, self.likelihood)
        self.encoders = list(encoders)
        self.upsamplers = list(upsamplers)
        self.decoder = decoder
        suffixes = [f"_{level}" for level in range(1, levels + 1)]
        self.projections = [
            keras.layers.Dense(
                embedding_dim,
                dtype=self.dtype_policy,
                name=f"projection{suffix}",
            )
            for suffix in suffixes
        ]
        self.add_codebooks(
            suffixes,
            num_embeddings,
            embedding_dim,
            commitment_weight,
            ema_decay,
            quantizer_options,
        )

    # === Shapes ===

    def known_event_shape(self) -> tuple[int, ...] | None:
        return architecture.event_shape(self.encoders[0])

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        shape = (None, *self.event_shape)
        features = []
        for encoder in self.encoders:
            shape = architecture.build(encoder, shape)
            features.append(tuple(shape))
        self._latent_shapes = [
            (*shape[1:-1], self.embedding_dim) for shape in features
        ]
        for level in reversed(range(len(self.encoders))):
            channels = features[level][-1]
            if level < len(self.upsamplers):
                channels += self._build_upsampler(level)
            architecture.build(
                self.projections[level], (*features[level][:-1], channels)
            )
            architecture.build(
                self.quantizers[level], (None, *self._latent_shapes[level])
            )
        shapes = [(None, *shape) for shape in self._latent_shapes]
        self.build_likelihood(architecture.build(self.decoder, shapes))

    def _build_upsampler(self, level):
        """The number of channels that it adds to the features."""
        above = (None, *self._latent_shapes[level + 1])
        shape = tuple(architecture.build(self.upsamplers[level], above))
        positions = self._latent_shapes[level][:-1]
        if shape[1:-1] != positions:
            raise ValueError(
                f"upsamplers[{level}] must lead from {above[1:-1]} to the "
                f"positions of encoders[{level}], {positions}. "
                f"Received: upsampler with output shape {shape}"
            )
        return shape[-1]

    def latent_shapes(self) -> list[tuple[int, ...]]:
        """Shapes (*positions, D) of the codes, by level, bottom first."""
        self.event_shape  # Raises where the model is not built.
        return self._latent_shapes

    def code_shapes(self) -> list[tuple[int, ...]]:
        return [shape[:-1] for shape in self.latent_shapes()]

    # === Objective ===

    def _quantize(self, x, quantize, training):
        """`quantize(quantizer, z)`, which gives `.z_q`, by level."""
        features = []
        for encoder in self.encoders:
            x = encoder(x, training=training)
            features.append(x)
        results = []
        for level in reversed(range(len(features))):
            inputs = features[level]
            if results:
                above = self.upsamplers[level](
                    results[0].z_q, training=training
                )
                inputs = tf.concat([inputs, above], axis=-1)
            z = self.projections[level](inputs)
            results.insert(0, quantize(self.quantizers[level], z))
        return results

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        results = self._quantize(
            x, lambda quantizer, z: quantizer.quantize(z, training), training
        )
        params = self.decoder(
            [result.z_q for result in results], training=training
        )
        target = x if y is None else y
        log_prob = self.likelihood.log_prob(params, target, training)
        return self.quantized_terms(log_prob, results)

    # === Codes ===

    def _fixed_codes(self, x):
        return self._quantize(
            self.ensure_built(x),
            lambda quantizer, z: quantizer.look(z),
            training=False,
        )

    def encode_indices(self, x: TensorLike) -> list[tf.Tensor]:
        """Codes of x, bottom first: list of int32 (batch, *positions)."""
        return [result.indices for result in self._fixed_codes(x)]

    def encode(self, x: TensorLike) -> list[tf.Tensor]:
        """Vectors of the codes: list of float32 (batch, *positions, D)."""
        return [result.z_q for result in self._fixed_codes(x)]

    def decode(self, z: Sequence[TensorLike]) -> tf.Tensor:
        """Mean of p(x | z): float32 tensor (batch, *event_shape).

        Args:
            z: list of tensors (batch, *positions, D), bottom first.
        """
        return self.likelihood.mean(self.decoder(list(z), training=False))

    def decode_indices(self, indices: Sequence[TensorLike]) -> tf.Tensor:
        """Mean of p(x | z): float32 tensor (batch, *event_shape).

        Args:
            indices: list of integer tensors (batch, *positions), bottom first.
        """
        if len(indices) != len(self.quantizers):
            raise ValueError(
                f"`indices` must be a list of {len(self.quantizers)} arrays, "
                f"one for each level. Received: {len(indices)} arrays"
            )
        indices = [tf.convert_to_tensor(level) for level in indices]
        for level, shape in zip(indices, self.code_shapes()):
            check_index_shape(level, shape)
        return self.decode(
            [
                quantizer.lookup(level)
                for quantizer, level in zip(self.quantizers, indices)
            ]
        )

    # === Export ===

    def export_signatures(self) -> dict[str, ExportSignature]:
        """Named functions for a SavedModel, see `keras_vae.export_model`.

        Codes of level l are named z_l and indices_l.

        Returns:
            dict of name to (function, list of `tf.TensorSpec`).
        """
        x = specs.floats("x", self.event_shape)
        z = [
            specs.floats(f"z_{level}", shape)
            for level, shape in enumerate(self.latent_shapes(), 1)
        ]
        indices = [
            tf.TensorSpec((None, *shape), "int32", name=f"indices_{level}")
            for level, shape in enumerate(self.code_shapes(), 1)
        ]

        def by_level(name, values):
            return {f"{name}_{i}": value for i, value in enumerate(values, 1)}

        def reconstruct(x):
            return {"reconstruction": self.reconstruct(x)}

        def encode(x):
            return by_level("z", self.encode(x))

        def decode(*z):
            return {"reconstruction": self.decode(z)}

        def encode_indices(x):
            return by_level("indices", self.encode_indices(x))

        def decode_indices(*indices):
            return {"reconstruction": self.decode_indices(indices)}

        return {
            "serving_default": (reconstruct, [x]),
            "reconstruct": (reconstruct, [x]),
            "encode": (encode, [x]),
            "decode": (decode, z),
            "encode_indices": (encode_indices, [x]),
            "decode_indices": (decode_indices, indices),
        }
