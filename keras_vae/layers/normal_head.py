from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.typing import Shape
from keras_vae.typing import TensorLike

# Variances smaller than this are not learnt in float32.
_MIN_VARIANCE = 1e-4


@keras.saving.register_keras_serializable(package="keras_vae")
class NormalHead(keras.layers.Layer):
    """Mean and variance of a normal distribution, linear in the features.

    mean = norm(W_m h + b_m)
    variance = softplus(norm(W_v h + b_v)) + 1e-4

    `norm` is batch normalisation, or nothing. A latent shape with positions
    (height, width, channels) takes features at the same positions, and W are
    convolutions of size 1. All computations are in float32.

    Args:
        latent_shape: int, or tuple of ints.
        batch_norm: bool. Statistics are those of the global batch.
        momentum: float, of the moving statistics.
        seed: int or None; equal seeds give equal weights.

    Call arguments:
        features: tensor (batch, *positions, channels).
        training: bool, whether statistics are those of the batch.

    Input shape:
        (batch, *positions, channels)

    Output shape:
        Tuple (mean, variance), (batch, *latent_shape) each

    Raises:
        ValueError: if the shape is not positive, or features have other
            positions.

    Example:
    >>> head = keras_vae.layers.NormalHead(2)
    >>> mean, variance = head(np.zeros((5, 3)))
    >>> mean.shape, round(float(variance[0, 0]), 4)
    (TensorShape([5, 2]), 0.6932)

    Reference:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, 2016, equations 12-13.
    """

    def __init__(
        self,
        latent_shape: int | Sequence[int],
        batch_norm: bool = False,
        momentum: float = 0.98,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        shape = latent_shape
        if isinstance(shape, int):
            shape = (shape,)
        shape = tuple(shape)
        if not shape or not all(isinstance(n, int) and n >= 1 for n in shape):
            raise ValueError(
                "`latent_shape` must be a positive int or a tuple of such. "
                f"Received: latent_shape={latent_shape!r}"
            )
        self.latent_shape = shape
        self.batch_norm = batch_norm
        self.momentum = momentum
        self.seed = seed
        # One matrix for both: Keras's Dense acts on the last axis.
        self.dense = keras.layers.Dense(
            2 * shape[-1],
            use_bias=not batch_norm,
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            dtype="float32",
            name="dense",
        )
        self.norm = None
        if batch_norm:
            self.norm = keras.layers.BatchNormalization(
                momentum=momentum,
                synchronized=True,
                dtype="float32",
                name="norm",
            )

    def build(self, input_shape: Shape) -> None:
        positions = tuple(input_shape)[1:-1]
        if positions != self.latent_shape[:-1]:
            raise ValueError(
                "Features must have the positions of the latent shape "
                f"{self.latent_shape}. "
                f"Received: features of shape {tuple(input_shape)}"
            )
        self.dense.build(input_shape)
        if self.norm is not None:
            self.norm.build(self.dense.compute_output_shape(input_shape))

    def call(
        self, features: TensorLike, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        params = self.dense(features)
        if self.norm is not None:
            params = self.norm(params, training=training)
        mean, raw = tf.split(params, 2, axis=-1)
        return mean, tf.nn.softplus(raw) + _MIN_VARIANCE

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        shape = (input_shape[0], *self.latent_shape)
        return shape, shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "latent_shape": list(self.latent_shape),
            "batch_norm": self.batch_norm,
            "momentum": self.momentum,
            "seed": self.seed,
        }
