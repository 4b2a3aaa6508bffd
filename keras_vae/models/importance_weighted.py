"""log p(x) of latent variable models by importance sampling."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_vae import random
from keras_vae.arguments import positive_int
from keras_vae.models import specs
from keras_vae.typing import Array
from keras_vae.typing import ExportSignature
from keras_vae.typing import Seed

# Rows decoded at once by `log_likelihood`: what a core's cache likes.
_ROWS_AT_ONCE = 1000
# While one chunk is summed the next is decoded: all cores have work.
_CHUNKS_AT_ONCE = 2


class ImportanceWeighted:
    """Mixin of the `LikelihoodModel`s with latent variables that are sampled.

    A subclass must override `importance_sampler` and `sample`.
    """

    def importance_sampler(self, x: tf.Tensor) -> Callable[..., tf.Tensor]:
        """What draws log weights log p(x, z) - log q(z | x).

        Args:
            x: tensor (batch, *event_shape).

        Returns:
            callable, from (noise, num_samples) to a tensor
            (num_samples, batch). What does not depend on the samples is
            computed once, before.
        """
        raise NotImplementedError

    def log_likelihood(
        self,
        x: Array,
        num_samples: int = 5000,
        batch_size: int = 100,
        seed: Seed = 0,
        verbose: int | str = "auto",
    ) -> Array:
        """Importance-weighted lower bound of log p(x) of each example.

        log p(x) >= E[log 1/S sum_s p(x, z_s) / q(z_s | x)]

        Samples are drawn in chunks and summed as they come, so memory does
        not grow with `num_samples`.

        Args:
            x: array (n, *event_shape), in the support of the likelihood.
            num_samples: int, S.
            batch_size: int, examples at once.
            seed: int or pair of ints; the same seed gives the same numbers.
            verbose: 0, 1 or "auto": a progress bar on long runs.

        Returns:
            float32 NumPy array (n,), nats.

        Raises:
            ValueError: if x is not in the support, or the likelihood has no
                normalised density.

        Reference:
            Burda, Grosse, Salakhutdinov, 2016, equation 8 and section 5.
        """
        num_samples = positive_int("num_samples", num_samples)
        x = self.exact_data(x)

        def log_prob(rows, index, num_samples, seed):
            return self._log_prob(
                rows, num_samples, random.fold_in(seed, index)
            )

        args = (tf.constant(num_samples), random.as_seed(seed))
        return self._batches.map(
            "log_prob", log_prob, x, batch_size, args, verbose
        )

    def _log_prob(self, x, num_samples, seed):
        """Streaming log-mean-exp of importance weights: (batch,)."""
        draw = self.importance_sampler(x)
        rows = tf.shape(x)[0]
        noise = random.Noise(seed, rows)
        chunk = tf.clip_by_value(
            _ROWS_AT_ONCE // tf.maximum(rows, 1), 1, num_samples
        )

        def add_chunk(index, total):
            log_weights = draw(noise.fold(index), chunk)
            number = index * chunk + tf.range(chunk)
            inside = (number < num_samples)[:, tf.newaxis]
            log_weights = tf.where(inside, log_weights, -np.inf)
            chunk_total = tf.reduce_logsumexp(log_weights, axis=0)
            return index + 1, _log_add_exp(total, chunk_total)

        _, total = tf.while_loop(
            lambda index, total: index * chunk < num_samples,
            add_chunk,
            (0, tf.fill([rows], -np.inf)),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([None]),
            ),
            parallel_iterations=_CHUNKS_AT_ONCE,
        )
        return total - tf.math.log(tf.cast(num_samples, "float32"))

    def sampling_signatures(self) -> dict[str, ExportSignature]:
        """`sample`, and `log_prob` where it is defined, for a SavedModel."""
        x = specs.floats("x", self.event_shape)
        num_samples = tf.TensorSpec((), "int32", name="num_samples")

        def sample(num, seed):
            return {"samples": self.sample(num, seed)}

        def log_prob(x, num_samples, seed):
            return {"log_prob": self._log_prob(x, num_samples, seed)}

        signatures: dict[str, ExportSignature] = {
            "sample": (sample, [specs.NUM, specs.SEED])
        }
        if self.likelihood.normalized:
            signatures["log_prob"] = (log_prob, [x, num_samples, specs.SEED])
        return signatures


def _log_add_exp(a, b):
    """log(exp(a) + exp(b)), also where both are -inf."""
    return tf.reduce_logsumexp(tf.stack([a, b]), axis=0)
