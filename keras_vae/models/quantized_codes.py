"""What models with codebooks have in common, whatever their levels."""

import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NoReturn

import tensorflow as tf

from keras_vae.layers.vector_quantizer import Quantized
from keras_vae.layers.vector_quantizer import VectorQuantizer
from keras_vae.typing import Array
from keras_vae.typing import TensorLike


class QuantizedCodes:
    """Mixin of the `LikelihoodModel`s whose codes are indices.

    A subclass must call `add_codebooks` in its constructor and override
    `code_shapes`.
    """

    @property
    def sample(self) -> NoReturn:
        """There is none: a prior of the codes is needed, see `VQGenerator`."""
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute 'sample', as it "
            "has no prior to draw codes from: fit a PixelSNAIL to its codes "
            "and sample from VQGenerator(vq_vae, prior)"
        )

    def add_codebooks(
        self,
        suffixes: Sequence[str],
        num_embeddings: int | Sequence[int],
        embedding_dim: int,
        commitment_weight: float,
        ema_decay: float | None,
        quantizer_options: Mapping[str, Any] | None,
    ) -> None:
        """Makes `quantizers`, a list by level, and declares the terms.

        Args:
            suffixes: list of str, of the names of each level's layer, terms
                and metrics, bottom first.
            num_embeddings: int, or a list of them by level.
            embedding_dim, commitment_weight, ema_decay, quantizer_options:
                arguments of the model.
        """
        if isinstance(num_embeddings, (list, tuple)):
            sizes = list(num_embeddings)
        else:
            sizes = [num_embeddings] * len(suffixes)
        if len(sizes) != len(suffixes):
            raise ValueError(
                f"`num_embeddings` must be an int or a list of "
                f"{len(suffixes)}, one for each level. "
                f"Received: num_embeddings={num_embeddings}"
            )
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.commitment_weight = commitment_weight
        self.ema_decay = ema_decay
        self.quantizer_options = dict(quantizer_options or {})
        self.quantizers = [
            VectorQuantizer(
                size,
                embedding_dim,
                commitment_weight=commitment_weight,
                ema_decay=ema_decay,
                suffix=suffix,
                **{"dtype": self.dtype_policy, **self.quantizer_options},
                name=f"quantizer{suffix}",
            )
            for size, suffix in zip(sizes, suffixes)
        ]
        self._suffixes = list(suffixes)
        self.add_term("reconstruction_loss", elbo=True)
        for suffix in suffixes:
            self.add_term(f"kl_loss{suffix}", 0.0, elbo=True)
            if ema_decay is None:
                self.add_term(f"codebook_loss{suffix}")
            self.add_term(f"commitment_loss{suffix}", commitment_weight)

    def quantized_terms(
        self, log_prob: tf.Tensor, quantized: Sequence[Quantized]
    ) -> dict[str, tf.Tensor]:
        """All terms, for `compute_terms`.

        Args:
            log_prob: tensor (batch,), log p(x | z_q).
            quantized: list of what `VectorQuantizer.quantize` gave, by level.
        """
        terms = {"reconstruction_loss": -log_prob}
        levels = zip(self._suffixes, self.code_lengths(), quantized)
        for suffix, length, level in levels:
            terms[f"kl_loss{suffix}"] = tf.fill(tf.shape(log_prob), length)
            terms[f"commitment_loss{suffix}"] = level.commitment_loss
            if level.codebook_loss is not None:
                terms[f"codebook_loss{suffix}"] = level.codebook_loss
        return terms

    def code_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the indices of one example, by level, bottom first."""
        raise NotImplementedError

    def code_lengths(self) -> list[float]:
        """N log K of each level: nats of a code, with a uniform prior."""
        return [
            math.prod(shape) * math.log(quantizer.num_embeddings)
            for shape, quantizer in zip(self.code_shapes(), self.quantizers)
        ]

    def elbo(self, x: Array, batch_size: int = 1000) -> Array:
        """log p(x | z_q) - sum N log K, a bound of log p(x), by example.

        Args:
            x: array (n, *event_shape), in the support of the likelihood.
            batch_size: int, examples at once.

        Returns:
            float32 NumPy array (n,), nats.

        Raises:
            ValueError: if x is not in the support, or the likelihood has no
                normalised density.
        """
        x = self.exact_data(x)
        code_length = sum(self.code_lengths())

        def elbo(rows, index):
            params = self.decoder(self.encode(rows), training=False)
            return self.likelihood.log_prob(params, rows) - code_length

        return self._batches.map("elbo", elbo, x, batch_size)


def check_index_shape(indices: TensorLike, expected: Sequence[int]) -> None:
    """Raises unless `indices` has shape (batch, *expected)."""
    if tuple(indices.shape[1:]) != tuple(expected):
        raise ValueError(
            f"`indices` must have shape (batch, *{tuple(expected)}). "
            f"Received: indices of shape {indices.shape}"
        )
