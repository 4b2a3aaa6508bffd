import typing
from typing import Any
from typing import Self

import keras
import tensorflow as tf

from keras_vae import random
from keras_vae.arguments import non_negative
from keras_vae.arguments import positive
from keras_vae.arguments import positive_int
from keras_vae.arguments import proper_fraction
from keras_vae.layers.codebook import Codebook
from keras_vae.metrics.codebook_usage import CodebookUsage
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike

_METRICS = ("euclidean", "cosine")


class Quantized(typing.NamedTuple):
    """Result of `VectorQuantizer.quantize`.

    Attributes:
        z_q: tensor (batch, ..., D), with the gradient of z (straight-through).
        indices: int32 tensor (batch, ...).
        codebook_loss: float32 tensor (batch,), sum of |sg[z] - e|^2; None
            where the codebook follows moving averages.
        commitment_loss: float32 tensor (batch,), sum of |z - sg[e]|^2.
    """

    z_q: tf.Tensor
    indices: tf.Tensor
    codebook_loss: tf.Tensor | None = None
    commitment_loss: tf.Tensor | None = None


@keras.saving.register_keras_serializable(package="keras_vae")
class VectorQuantizer(keras.layers.Layer):
    """Replaces every vector of the last axis by the nearest of a codebook.

    k = argmin_j |z - e_j|,  z_q = e_k,  dz_q/dz := 1 (straight-through)
    loss = mean over the batch of the sum over positions of
        |sg[z] - e_k|^2 + commitment_weight |z - sg[e_k]|^2

    The first part is that of a codebook trained by gradients
    (`ema_decay=None`). Otherwise codes are moving averages of the vectors
    that chose them, zero-debiased, over the global batch:

    N_j <- g N_j + (1 - g) n_j,  m_j <- g m_j + (1 - g) sum of those z
    e_j = (m_j + epsilon e_j) / (N_j + epsilon)

    so that a code that nothing chooses stays where it is. Codes begin as
    vectors of the first training batch, followed by one iteration of k-means
    per batch (the moving averages are that). A code that is chosen less often
    than `dead_threshold` of the mean is put upon a vector of the batch, with
    its averages. All of it is float32, in training only, and equal on all
    replicas.

    The epoch's `perplexity` and `usage` are metrics of every model that holds
    the layer, see `keras_vae.metrics.CodebookUsage`.

    Args:
        num_embeddings: int >= 2, K.
        embedding_dim: int >= 1, D, size of the last axis.
        commitment_weight: float >= 0; losses are sums, not means.
        ema_decay: float in (0, 1), g, or None: trained by gradients.
        epsilon: float > 0, weight of the old code in the average.
        init_batches: int >= 0, for how many batches a codebook trained by
            gradients is set by k-means. 0: no code begins as a vector of the
            data, whatever trains it.
        dead_threshold: float in [0, 1). 0 leaves dead codes alone.
        code_dim: None, or int >= 1: vectors are projected to this size
            before, and back to D after.
        metric: "euclidean", or "cosine": vectors and codes have length one.
        suffix: str, appended to the names of the metrics.
        seed: None or int. Which vectors codes begin as, where no model of
            the library gives the noise.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Attributes:
        codebook: float32 weight (K, code_dim or D).

    Call arguments:
        z: float tensor (batch, ..., D).
        training: bool. Whether the codebook moves.

    Input shape:
        (batch, ..., D)

    Output shape:
        (batch, ..., D) and int32 (batch, ...), the indices

    Raises:
        ValueError: if an argument is out of its range, or the last axis is
            not `embedding_dim`.

    Example:
    >>> layer = keras_vae.layers.VectorQuantizer(8, 2)
    >>> z_q, indices = layer(np.random.normal(size=(5, 7, 7, 2)))
    >>> z_q.shape, indices.shape
    (TensorShape([5, 7, 7, 2]), TensorShape([5, 7, 7]))

    Reference:
        van den Oord, Vinyals, Kavukcuoglu, 2017, equation 3 and appendix A.1.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        layer = super().__new__(cls, *args, **kwargs)
        # Keras puts a wrapper of its int8 quantisation before the method.
        object.__delattr__(layer, "quantize")
        return layer

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        commitment_weight: float = 0.25,
        ema_decay: float | None = 0.99,
        epsilon: float = 1e-5,
        init_batches: int = 10,
        dead_threshold: float = 0.03,
        code_dim: int | None = None,
        metric: str = "euclidean",
        suffix: str = "",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        positive_int("num_embeddings", num_embeddings, at_least=2)
        non_negative("commitment_weight", commitment_weight)
        if ema_decay is not None and not 0.0 < ema_decay < 1.0:
            raise ValueError(
                "`ema_decay` must be None or in (0, 1). "
                f"Received: ema_decay={ema_decay}"
            )
        positive("epsilon", epsilon)
        if not isinstance(init_batches, int) or init_batches < 0:
            raise ValueError(
                "`init_batches` must be an int, at least 0. "
                f"Received: init_batches={init_batches!r}"
            )
        proper_fraction("dead_threshold", dead_threshold)
        if metric not in _METRICS:
            raise ValueError(
                f"`metric` must be one of {list(_METRICS)}. "
                f"Received: metric={metric!r}"
            )
        self.num_embeddings = num_embeddings
        self.embedding_dim = positive_int("embedding_dim", embedding_dim)
        self.commitment_weight = commitment_weight
        self.ema_decay = ema_decay
        self.epsilon = epsilon
        self.init_batches = init_batches
        self.dead_threshold = dead_threshold
        self.code_dim = code_dim
        if code_dim is not None:
            positive_int("code_dim", code_dim)
        self.metric = metric
        self.suffix = suffix
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.codes = Codebook(
            num_embeddings,
            code_dim or embedding_dim,
            ema_decay=ema_decay,
            epsilon=epsilon,
            init_batches=init_batches,
            dead_threshold=dead_threshold,
            unit_length=metric == "cosine",
            name="codes",
        )
        self.project_in: keras.layers.Dense | None = None
        self.project_out: keras.layers.Dense | None = None
        if code_dim is not None:
            self.project_in = keras.layers.Dense(
                code_dim, dtype=self.dtype_policy, name="project_in"
            )
            self.project_out = keras.layers.Dense(
                embedding_dim, dtype=self.dtype_policy, name="project_out"
            )
        self.codebook_usage = CodebookUsage(
            num_embeddings, suffix, dtype="float32"
        )

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 2 or input_shape[-1] != self.embedding_dim:
            raise ValueError(
                "The last axis of the vectors must have the size "
                f"embedding_dim={self.embedding_dim}. "
                f"Received: vectors of shape {tuple(input_shape)}"
            )
        if not self.codes.built:
            self.codes.build()
        if self.project_in is not None and self.project_out is not None:
            self.project_in.build((None, self.embedding_dim))
            self.project_out.build((None, self.code_dim))

    @property
    def codebook(self) -> keras.Variable:
        return self.codes.vectors

    def quantize(self, z: TensorLike, training: bool = False) -> Quantized:
        """Codes of z, their indices and the terms of the objective.

        Args:
            z: float tensor (batch, ..., D).
            training: bool. Whether the codebook moves.

        Returns:
            `Quantized(z_q, indices, codebook_loss, commitment_loss)`.
        """
        shape = tf.shape(z)
        projected, flat = self._flatten(z)
        moving = training and self.trainable
        if moving:
            noise = random.current_noise(self.seed_generator, shared=True)
            candidates = self.codes.begin(flat, noise)
        indices = self.codes.nearest(flat)
        # Read before the codebook moves.
        chosen = tf.gather(self.codes.read(), indices)
        counts = self.codes.count(indices)
        if moving:
            self.codes.move(flat, indices, counts, candidates)
        self.codebook_usage.add_counts(counts)

        codebook_loss = None
        if self.ema_decay is None:
            codebook_loss = _squared_distance(
                tf.stop_gradient(flat), chosen, shape
            )
        fixed = tf.stop_gradient(chosen)
        commitment_loss = _squared_distance(flat, fixed, shape)
        z_q = flat + tf.stop_gradient(fixed - flat)
        z_q = self._expand(tf.reshape(z_q, tf.shape(projected)))
        return Quantized(
            tf.cast(z_q, self.compute_dtype),
            tf.reshape(indices, shape[:-1]),
            codebook_loss,
            commitment_loss,
        )

    def encode_indices(self, z: TensorLike) -> tf.Tensor:
        """Indices of the nearest codes, nothing moves and nothing counts.

        Args:
            z: float tensor (batch, ..., D).

        Returns:
            int32 tensor (batch, ...).
        """
        _, flat = self._flatten(z)
        return tf.reshape(self.codes.nearest(flat), tf.shape(z)[:-1])

    def look(self, z: TensorLike) -> Quantized:
        """As `quantize`, without terms: nothing moves and nothing counts.

        Args:
            z: float tensor (batch, ..., D).

        Returns:
            `Quantized` with z_q and indices, the rest None.
        """
        indices = self.encode_indices(z)
        return Quantized(self.lookup(indices), indices)

    def lookup(self, indices: TensorLike) -> tf.Tensor:
        """Codes by index: what `call` gives for these indices.

        Args:
            indices: integer tensor of any shape, in [0, K); in eager mode
                others are an error.

        Returns:
            float32 tensor (*shape of indices, D).
        """
        indices = tf.convert_to_tensor(indices)
        check_indices(indices, self.num_embeddings)
        return self._expand(tf.gather(self.codes.read(), indices))

    def call(
        self, z: TensorLike, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        quantized = self.quantize(z, training)
        commitment_loss: tf.Tensor = quantized.commitment_loss
        loss = self.commitment_weight * commitment_loss
        if quantized.codebook_loss is not None:
            loss += quantized.codebook_loss
        count = tf.cast(tf.size(loss), "float32")
        self.add_loss(tf.math.divide_no_nan(tf.reduce_sum(loss), count))
        return quantized.z_q, quantized.indices

    def _flatten(self, z):
        """z in the space of the codes, and as float32 rows."""
        z = tf.convert_to_tensor(z)
        if z.shape[-1] != self.embedding_dim:
            raise ValueError(
                "The last axis of the vectors must have the size "
                f"embedding_dim={self.embedding_dim}. "
                f"Received: vectors of shape {z.shape}"
            )
        z = tf.cast(z, "float32")
        if self.project_in is not None:
            z = tf.cast(self.project_in(z), "float32")
        if self.metric == "cosine":
            z = tf.math.l2_normalize(z, axis=-1)
        return z, tf.reshape(z, [-1, z.shape[-1]])

    def _expand(self, z):
        if self.project_out is None:
            return z
        return tf.cast(self.project_out(z), "float32")

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        return tuple(input_shape), tuple(input_shape)[:-1]

    def compute_output_spec(
        self, z: keras.KerasTensor, training: bool = False
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        return (
            keras.KerasTensor(z.shape, self.compute_dtype),
            keras.KerasTensor(z.shape[:-1], "int32"),
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_embeddings": self.num_embeddings,
            "embedding_dim": self.embedding_dim,
            "commitment_weight": self.commitment_weight,
            "ema_decay": self.ema_decay,
            "epsilon": self.epsilon,
            "init_batches": self.init_batches,
            "dead_threshold": self.dead_threshold,
            "code_dim": self.code_dim,
            "metric": self.metric,
            "suffix": self.suffix,
            "seed": self.seed,
        }


def check_indices(indices: tf.Tensor, num_embeddings: int) -> None:
    """Integers in [0, num_embeddings); values are seen in eager mode only."""
    if not indices.dtype.is_integer:
        raise ValueError(
            "`indices` must be integers. "
            f"Received: indices of dtype {indices.dtype.name}"
        )
    if not tf.executing_eagerly() or tf.size(indices) == 0:
        return
    lowest, highest = int(tf.reduce_min(indices)), int(tf.reduce_max(indices))
    if lowest < 0 or highest >= num_embeddings:
        raise ValueError(
            f"`indices` must be in [0, {num_embeddings}). "
            f"Received: indices with values in [{lowest}, {highest}]"
        )


def _squared_distance(a, b, shape):
    """Sums over all axes but the first of tensors of this shape: (batch,)."""
    distance = tf.reduce_sum(tf.math.squared_difference(a, b), axis=-1)
    positions = tf.reduce_prod(shape[1:-1])
    rows = tf.reshape(distance, tf.stack([shape[0], positions]))
    return tf.reduce_sum(rows, axis=-1)
