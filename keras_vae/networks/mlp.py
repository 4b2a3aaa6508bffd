"""Fully connected encoder and decoder."""

import math
from collections.abc import Sequence

import keras
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.networks.arguments import constant_initializer
from keras_vae.networks.arguments import initializers
from keras_vae.typing import Activation
from keras_vae.typing import Initializer


def mlp_encoder(
    event_shape: Sequence[int],
    units: Sequence[int] = (512, 512),
    activation: Activation = "relu",
    kernel_initializer: Initializer = "glorot_uniform",
    seed: int | None = None,
    name: str = "encoder",
) -> keras.Model:
    """Fully connected network from data of any shape to features.

    Args:
        event_shape: Shape of one example; it is flattened.
        units: Width of each layer, first to last.
        activation: Activation of every layer.
        kernel_initializer: Initializer of every kernel.
        seed: Integer; equal seeds give equal weights. None draws one.
        name: Name of the model.

    Returns:
        A `keras.Model`: (batch, *event_shape) -> (batch, units[-1]).

    Raises:
        ValueError: If a shape or width is empty or not positive.

    Example:
    >>> encoder = keras_vae.networks.mlp_encoder((28, 28, 1), (200, 200))
    >>> encoder.output_shape
    (None, 200)
    """
    event_shape = positive_ints("event_shape", event_shape)
    units = positive_ints("units", units)
    kernels = initializers(kernel_initializer, seed, len(units))

    inputs = keras.Input(event_shape, name="x")
    x = keras.layers.Flatten()(inputs)
    for width, kernel in zip(units, kernels):
        x = keras.layers.Dense(width, activation, kernel_initializer=kernel)(x)
    return keras.Model(inputs, x, name=name)


def mlp_decoder(
    latent_dim: int,
    output_shape: Sequence[int],
    units: Sequence[int] = (512, 512),
    activation: Activation = "relu",
    output_bias: ArrayLike | None = None,
    kernel_initializer: Initializer = "glorot_uniform",
    seed: int | None = None,
    name: str = "decoder",
) -> keras.Model:
    """Fully connected network from codes to raw likelihood parameters.

    The last layer is linear: its values are logits for a Bernoulli
    likelihood.

    Args:
        latent_dim: Size of the code.
        output_shape: Shape of the parameters of one example.
        units: Width of each hidden layer, first to last; () for none.
        activation: Activation of every hidden layer.
        output_bias: Initial bias of the last layer, broadcast to
            `output_shape`. None is zero; the logit of the mean training image
            spares a Bernoulli model its first epochs.
        kernel_initializer: Initializer of every kernel.
        seed: Integer; equal seeds give equal weights. None draws one.
        name: Name of the model.

    Returns:
        A `keras.Model`: (batch, latent_dim) -> (batch, *output_shape).

    Raises:
        ValueError: If a shape or width is empty or not positive, or the bias
            does not fit.

    Example:
    >>> decoder = keras_vae.networks.mlp_decoder(50, (28, 28, 1))
    >>> decoder.output_shape
    (None, 28, 28, 1)
    """
    latent_dim = positive_int("latent_dim", latent_dim)
    output_shape = positive_ints("output_shape", output_shape)
    units = () if units == () else positive_ints("units", units)
    *kernels, last_kernel = initializers(
        kernel_initializer, seed, len(units) + 1
    )

    inputs = keras.Input((latent_dim,), name="z")
    x = inputs
    for width, kernel in zip(units, kernels):
        x = keras.layers.Dense(width, activation, kernel_initializer=kernel)(x)
    x = keras.layers.Dense(
        math.prod(output_shape),
        kernel_initializer=last_kernel,
        bias_initializer=constant_initializer(
            "output_bias", output_bias, output_shape
        ),
    )(x)
    outputs = keras.layers.Reshape(output_shape)(x)
    return keras.Model(inputs, outputs, name=name)
