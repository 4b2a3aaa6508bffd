"""What models with codebooks have in common, whatever their levels."""

import math


class QuantizedCodes:
    """Mixin of the `LikelihoodModel`s whose codes are indices.

    A subclass must have `quantizers`, the layers of its levels, bottom first,
    and override `code_shapes`.
    """

    def code_shapes(self):
        """Shapes of the indices of one example, by level, bottom first."""
        raise NotImplementedError

    def code_lengths(self):
        """N log K of each level: nats of a code, with a uniform prior."""
        return [
            math.prod(shape) * math.log(quantizer.num_embeddings)
            for shape, quantizer in zip(self.code_shapes(), self.quantizers)
        ]

    def elbo(self, x, batch_size=1000):
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


def check_index_shape(indices, expected):
    """Raises unless `indices` has shape (batch, *expected)."""
    if tuple(indices.shape[1:]) != tuple(expected):
        raise ValueError(
            f"`indices` must have shape (batch, *{tuple(expected)}). "
            f"Received: indices of shape {indices.shape}"
        )
