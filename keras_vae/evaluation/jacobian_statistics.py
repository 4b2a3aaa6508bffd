"""How much codes move with the data, and how saturated they are."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_vae.evaluation.batches import batches
from keras_vae.models import jacobian
from keras_vae.typing import Batches


@dataclasses.dataclass(frozen=True)
class JacobianStatistics:
    """Result of `jacobian_statistics`.

    Args:
        mean_norm: float, mean over examples of ||dz/dx||_F.
        saturation: float in [0, 1], the fraction of code units, over all
            examples, below 0.05 or above 0.95: of use for sigmoid codes.
    """

    mean_norm: float
    saturation: float


def jacobian_statistics(
    model: keras.Model, x: Batches, batch_size: int = 100
) -> JacobianStatistics:
    """Mean norm of the code's Jacobian, and the fraction of saturated units.

    The norm is exact: in closed form where the code is one Dense layer, else
    from the whole Jacobian, which takes batch_size * code size * data size
    floats of memory.

    Args:
        model: built model with `encode`, which treats examples one by one.
        x: array (n, *event_shape), or batched `tf.data.Dataset` of inputs (or
            of tuples that begin with them).
        batch_size: examples at a time. Defaults to 100.

    Returns:
        `JacobianStatistics`.

    Raises:
        ValueError: If `x` holds no example or `batch_size` is not positive.

    Example:
    >>> encoder = keras_vae.networks.mlp_encoder((8, 8, 1), (32,), "sigmoid")
    >>> decoder = keras_vae.networks.mlp_decoder(32, (8, 8, 1), units=())
    >>> model = keras_vae.Autoencoder(encoder, decoder)
    >>> model.build((None, 8, 8, 1))
    >>> x = np.zeros((5, 8, 8, 1), "float32")
    >>> keras_vae.evaluation.jacobian_statistics(model, x).saturation
    0.0

    Reference:
        Rifai, Vincent, Muller, Glorot, Bengio, 2011, table 1.
    """
    layers = model.code_layers() if hasattr(model, "code_layers") else [model]
    # A model without layers for its code is differentiated as a whole.
    exact = jacobian.choose(layers, (), "exact")

    @tf.function(reduce_retracing=True)
    def measure(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z, factors = exact.linearize(model.encode, rows)
        outside = tf.cast((z < 0.05) | (z > 0.95), "float32")
        axes = range(1, z.shape.rank)
        return tf.sqrt(factors.squared_norm()), tf.reduce_mean(outside, axes)

    norms, saturations = [], []
    for rows in batches(x, batch_size):
        norm, saturation = measure(tf.cast(rows, "float32"))
        norms.append(norm)
        saturations.append(saturation)
    return JacobianStatistics(
        float(np.mean(np.concatenate(norms), dtype="float64")),
        float(np.mean(np.concatenate(saturations), dtype="float64")),
    )
