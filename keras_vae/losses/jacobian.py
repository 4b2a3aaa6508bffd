"""Squared Frobenius norms of Jacobians, exact and estimated.

A Jacobian dz/dx of each example is held as `Factors`: any array that has its
norm, and the differences of two of which have the norm of the difference.
Examples must not depend on each other (batch normalisation in training does
that). Networks in half precision are differentiated in half precision; what
is squared and summed is float32.
"""

import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from keras_vae.random import Noise
from keras_vae.typing import Activation
from keras_vae.typing import Scalar
from keras_vae.typing import TensorLike

#: Derivative of an activation, from its output.
_DERIVATIVES = {
    keras.activations.linear: tf.ones_like,
    keras.activations.relu: lambda h: tf.cast(h > 0.0, h.dtype),
    keras.activations.sigmoid: lambda h: h * (1.0 - h),
    keras.activations.tanh: lambda h: (1.0 - h) * (1.0 + h),
}


class Factors(NamedTuple):
    """sum(scale * values**2) over all axes but the first is the norm squared.

    Args:
        values: float32 tensor (batch, ...).
        scale: number, or tensor that broadcasts to `values`.
    """

    values: tf.Tensor
    scale: object

    def squared_norm(self) -> tf.Tensor:
        """||J||_F^2: float32 tensor (batch,)."""
        squares = self.scale * tf.square(self.values)
        return tf.reduce_sum(squares, axis=range(1, squares.shape.rank))

    def squared_distance(self, other: "Factors") -> tf.Tensor:
        """||J - other||_F^2, both of the same function: tensor (batch,)."""
        return Factors(self.values - other.values, self.scale).squared_norm()


def has_closed_form(activation: Activation) -> bool:
    """Whether `dense_factors` knows the derivative of an activation."""
    return activation in _DERIVATIVES


def dense_factors(
    h: tf.Tensor, kernel: TensorLike, activation: Activation
) -> Factors:
    """Closed form for one dense layer h = s(x W + b).

    ||dh/dx||_F^2 = sum_j s'_j^2 sum_i W_ij^2

    Args:
        h: float32 tensor (batch, ..., units), the layer's output.
        kernel: float32 tensor (inputs, units).
        activation: s, elementwise, with `has_closed_form`.

    Returns:
        `Factors`.

    Reference:
        Rifai, Vincent, Muller, Glorot, Bengio, 2011, section 3.
    """
    scale = tf.reduce_sum(tf.square(kernel), axis=0)
    return Factors(_DERIVATIVES[activation](h), scale)


def full_factors(
    function: Callable[[tf.Tensor], tf.Tensor], x: TensorLike
) -> tuple[tf.Tensor, Factors]:
    """The whole Jacobian, one vector-Jacobian product for each code unit.

    Args:
        function: from x to z (batch, *code), the code's shape static.
        x: float32 tensor (batch, ...).

    Returns:
        z and `Factors`.
    """
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        z = function(x)
        units = math.prod(z.shape[1:])
        flat = tf.reshape(tf.cast(z, "float32"), [-1, units])

    def row(unit: tf.Tensor) -> tf.Tensor:
        return tape.gradient(
            flat,
            x,
            output_gradients=tf.broadcast_to(unit, tf.shape(flat)),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    # A loop: `batch_jacobian` takes XLA minutes to compile (it folds products
    # of matrices as large as batch * code).
    rows = tf.map_fn(row, tf.eye(units))
    axes = range(rows.shape.rank)
    return z, Factors(tf.transpose(rows, [1, 0, *axes[2:]]), 1.0)


def hutchinson_factors(
    function: Callable[[tf.Tensor], tf.Tensor], x: TensorLike, probes: tf.Tensor
) -> tuple[tf.Tensor, Factors]:
    """Unbiased estimate: ||J||_F^2 = E_v ||J^T v||^2 if E[v v^T] = I.

    Args:
        function: from x to z (batch, *code).
        x: float32 tensor (batch, ...).
        probes: float32 tensor (number, batch, *code), from `rademacher`.

    Returns:
        z and `Factors`; their distances are unbiased too, from equal probes.

    Reference:
        Hutchinson, 1990.
    """
    number = probes.shape[0]
    with tf.GradientTape(persistent=number > 1) as tape:
        tape.watch(x)
        z = function(x)
        single = tf.cast(z, "float32")
    products = [
        tape.gradient(
            single,
            x,
            output_gradients=probe,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        for probe in tf.unstack(probes)
    ]
    return z, Factors(tf.stack(products, axis=1), 1.0 / number)


def rademacher(
    noise: Noise, number: int, shape: Sequence[Scalar] | tf.Tensor
) -> tf.Tensor:
    """Probes for `hutchinson_factors`: -1 or 1 with equal probability.

    Args:
        noise: `random.Noise`.
        number: int.
        shape: (batch, *code).

    Returns:
        float32 tensor (number, batch, *code).
    """
    drawn = noise.uniform([number, *shape], axis=1)
    return tf.where(drawn < 0.5, -1.0, 1.0)


def squared_jacobian_norm(
    function: Callable[[tf.Tensor], tf.Tensor],
    x: TensorLike,
    probes: TensorLike | None = None,
) -> tf.Tensor:
    """||dz/dx||_F^2 of each example, differentiable.

    Args:
        function: from x to z (batch, ...), example by example.
        x: float tensor (batch, ...).
        probes: None for the exact norm, or float32 tensor (number, batch,
            *code) of independent -1 and 1 for an unbiased estimate.

    Returns:
        float32 tensor (batch,).
    """
    x = tf.cast(x, "float32")
    if probes is None:
        return full_factors(function, x)[1].squared_norm()
    return hutchinson_factors(function, x, probes)[1].squared_norm()
