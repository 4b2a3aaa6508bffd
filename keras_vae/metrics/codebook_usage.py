"""How evenly the codes of a codebook are used."""

from typing import Any

import keras
import tensorflow as tf

from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class CodebookUsage(keras.metrics.Metric):
    """Perplexity and usage of a codebook over an epoch.

    perplexity = exp(-sum_k p_k log p_k),  p_k the share of code k
    usage = number of codes with p_k > 0, divided by K

    Both are of all codes since the last reset, over all replicas: unlike the
    mean of a batch's perplexity, they do not depend on the batch size.

    Args:
        num_embeddings: int >= 2, K.
        suffix: str, appended to the two names in the logs.
        name: Name of the metric.
        **kwargs: `dtype` of `keras.metrics.Metric`.

    Example:
    >>> usage = keras_vae.metrics.CodebookUsage(4)
    >>> usage.update_state([[0, 0], [1, 1]])
    >>> {name: float(value) for name, value in usage.result().items()}
    {'perplexity': 2.0, 'usage': 0.5}

    Reference:
        van den Oord, Vinyals, Kavukcuoglu, 2017.
    """

    def __init__(
        self,
        num_embeddings: int,
        suffix: str = "",
        name: str = "codebook_usage",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.num_embeddings = num_embeddings
        self.suffix = suffix
        self.counts = self.add_weight(
            name="counts", shape=(num_embeddings,), initializer="zeros"
        )

    def update_state(
        self, indices: TensorLike, sample_weight: Any = None
    ) -> None:
        """Counts codes.

        Args:
            indices: integer tensor of any shape.
            sample_weight: ignored; every code counts once.
        """
        indices = tf.reshape(tf.cast(indices, "int32"), [-1])
        self.add_counts(count_codes(indices, self.num_embeddings))

    def add_counts(self, counts: tf.Tensor) -> None:
        """Adds float32 (K,), how often each code was used."""
        self.counts.assign_add(tf.cast(counts, self.counts.dtype))

    def result(self) -> dict[str, tf.Tensor]:
        counts = tf.convert_to_tensor(self.counts)
        share = tf.math.divide_no_nan(counts, tf.reduce_sum(counts))
        entropy = -tf.reduce_sum(tf.math.xlogy(share, share))
        used = tf.cast(counts > 0, counts.dtype)
        return {
            f"perplexity{self.suffix}": tf.exp(entropy),
            f"usage{self.suffix}": tf.reduce_mean(used),
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_embeddings": self.num_embeddings,
            "suffix": self.suffix,
        }


def count_codes(indices: TensorLike, num_embeddings: int) -> tf.Tensor:
    """How often each code occurs: int32 (n,) to float32 (num_embeddings,)."""
    return tf.math.unsorted_segment_sum(
        tf.ones_like(indices, "float32"), indices, num_embeddings
    )
