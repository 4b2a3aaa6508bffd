"""Convolutional encoder and decoder for images of any size."""

import math
from collections.abc import Sequence

import keras
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.networks.arguments import constant_initializer
from keras_vae.networks.arguments import initializers
from keras_vae.networks.convolution import crop
from keras_vae.networks.convolution import sizes_by_depth
from keras_vae.typing import Activation
from keras_vae.typing import Initializer


def conv_encoder(
    event_shape: Sequence[int],
    filters: Sequence[int] = (32, 64),
    units: Sequence[int] = (256,),
    kernel_size: int = 3,
    strides: int = 2,
    activation: Activation = "relu",
    kernel_initializer: Initializer = "glorot_uniform",
    seed: int | None = None,
    name: str = "encoder",
) -> keras.Model:
    """Convolutional network from images to features.

    Every convolution divides height and width by `strides`, rounded up.

    Args:
        event_shape: (height, width, channels) of one image.
        filters: Filters of each convolution, first to last.
        units: Width of each fully connected layer that follows.
        kernel_size: Size of every kernel.
        strides: Stride of every convolution.
        activation: Activation of every layer.
        kernel_initializer: Initializer of every kernel.
        seed: Integer; equal seeds give equal weights. None draws one.
        name: Name of the model.

    Returns:
        A `keras.Model`: (batch, *event_shape) -> (batch, units[-1]).

    Raises:
        ValueError: If the event is no image, or a size is empty or not
            positive.

    Example:
    >>> encoder = keras_vae.networks.conv_encoder((28, 20, 1), units=(64,))
    >>> encoder.output_shape
    (None, 64)
    """
    event_shape = positive_ints("event_shape", event_shape, length=3)
    filters = positive_ints("filters", filters)
    units = positive_ints("units", units)
    kernel_size = positive_int("kernel_size", kernel_size)
    strides = positive_int("strides", strides)
    kernels = initializers(kernel_initializer, seed, len(filters + units))

    inputs = keras.Input(event_shape, name="x")
    x = inputs
    for width, kernel in zip(filters, kernels):
        x = keras.layers.Conv2D(
            width,
            kernel_size,
            strides,
            padding="same",
            activation=activation,
            kernel_initializer=kernel,
        )(x)
    x = keras.layers.Flatten()(x)
    for width, kernel in zip(units, kernels[len(filters) :]):
        x = keras.layers.Dense(width, activation, kernel_initializer=kernel)(x)
    return keras.Model(inputs, x, name=name)


def conv_decoder(
    latent_dim: int,
    output_shape: Sequence[int],
    filters: Sequence[int] = (64, 32),
    units: Sequence[int] = (256,),
    kernel_size: int = 3,
    strides: int = 2,
    activation: Activation = "relu",
    output_bias: ArrayLike | None = None,
    kernel_initializer: Initializer = "glorot_uniform",
    seed: int | None = None,
    name: str = "decoder",
) -> keras.Model:
    """Convolutional network from codes to raw likelihood parameters.

    The mirror of `conv_encoder` with `filters` and `units` reversed: it passes
    through the same heights and widths, cropping where a stride does not
    divide, and ends in a linear convolution.

    Args:
        latent_dim: Size of the code.
        output_shape: (height, width, channels) of the parameters of one
            image.
        filters: Filters of each transposed convolution, first to last.
        units: Width of each fully connected layer that comes before.
        kernel_size: Size of every kernel.
        strides: Stride of every transposed convolution.
        activation: Activation of every layer but the last.
        output_bias: Initial bias of the last layer, broadcast to the
            channels. None is zero.
        kernel_initializer: Initializer of every kernel.
        seed: Integer; equal seeds give equal weights. None draws one.
        name: Name of the model.

    Returns:
        A `keras.Model`: (batch, latent_dim) -> (batch, *output_shape).

    Raises:
        ValueError: If the output is no image, a size is empty or not
            positive, or the bias does not fit.

    Example:
    >>> decoder = keras_vae.networks.conv_decoder(2, (13, 7, 3))
    >>> decoder.output_shape
    (None, 13, 7, 3)
    """
    latent_dim = positive_int("latent_dim", latent_dim)
    output_shape = positive_ints("output_shape", output_shape, length=3)
    filters = positive_ints("filters", filters)
    units = positive_ints("units", units)
    kernel_size = positive_int("kernel_size", kernel_size)
    strides = positive_int("strides", strides)
    *size, channels = output_shape
    sizes = sizes_by_depth(size, len(filters), strides)
    widths = (*units, math.prod(sizes[0]) * filters[0])
    kernels = iter(
        initializers(kernel_initializer, seed, len(widths + filters) + 1)
    )

    inputs = keras.Input((latent_dim,), name="z")
    x = inputs
    for width in widths:
        x = keras.layers.Dense(
            width, activation, kernel_initializer=next(kernels)
        )(x)
    x = keras.layers.Reshape((*sizes[0], filters[0]))(x)
    for width, size in zip(filters, sizes[1:]):
        x = keras.layers.Conv2DTranspose(
            width,
            kernel_size,
            strides,
            padding="same",
            activation=activation,
            kernel_initializer=next(kernels),
        )(x)
        x = crop(x, size)
    outputs = keras.layers.Conv2D(
        channels,
        kernel_size,
        padding="same",
        kernel_initializer=next(kernels),
        bias_initializer=constant_initializer(
            "output_bias", output_bias, (channels,)
        ),
    )(x)
    return keras.Model(inputs, outputs, name=name)
