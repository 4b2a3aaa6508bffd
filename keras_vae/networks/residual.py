"""Residual networks of the VQ-VAE, for series, images and videos."""

from collections.abc import Iterator
from collections.abc import Sequence

import keras
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.networks.arguments import constant
from keras_vae.networks.arguments import constant_initializer
from keras_vae.networks.arguments import initializers
from keras_vae.networks.convolution import convolution
from keras_vae.networks.convolution import sizes_by_depth
from keras_vae.networks.convolution import upsampling
from keras_vae.typing import Initializer


def residual_encoder(
    event_shape: Sequence[int],
    embedding_dim: int | None = 64,
    filters: int = 128,
    residual_filters: int = 32,
    num_residual_layers: int = 2,
    num_downsamplings: int = 2,
    input_mean: ArrayLike | None = None,
    kernel_initializer: Initializer = "lecun_normal",
    seed: int | None = None,
    name: str = "encoder",
) -> keras.Model:
    """Convolutional network from a series, image or video to a grid.

    `num_downsamplings` convolutions (size 4, stride 2, ReLU), of which the
    first has half of the filters; a convolution of size 3; a residual stack;
    a convolution of size 1 to `embedding_dim`. Each stride halves every axis,
    rounded up.

    Args:
        event_shape: Shape of one example: one to three axes, then channels.
        embedding_dim: Channels of the grid. None leaves out the last
            convolution: the grid has `filters` channels, none negative.
        filters: Filters of the convolutions.
        residual_filters: Filters within a residual layer.
        num_residual_layers: Residual layers.
        num_downsamplings: Convolutions of stride 2.
        input_mean: Subtracted from the input, broadcast to the channels, such
            as the mean of the training data, without which training is much
            slower. None is zero.
        kernel_initializer: Initializer of every kernel.
        seed: Integer; equal seeds give equal weights. None draws one.
        name: Name of the model.

    Returns:
        A `keras.Model`: (batch, *event_shape) -> (batch, ..., embedding_dim).

    Raises:
        ValueError: If the event has no such shape, a size is not positive, or
            the mean does not fit.

    Example:
    >>> encoder = keras_vae.networks.residual_encoder((32, 32, 3))
    >>> encoder.output_shape
    (None, 8, 8, 64)

    Reference:
        van den Oord et al., 2017, section 4.1, in the sizes of Sonnet's
        example for CIFAR-10.
    """
    event_shape = grid_shape("event_shape", event_shape)
    if embedding_dim is not None:
        embedding_dim = positive_int("embedding_dim", embedding_dim)
    filters = positive_int("filters", filters)
    num_downsamplings = positive_int("num_downsamplings", num_downsamplings)
    num_residual_layers = positive_int(
        "num_residual_layers", num_residual_layers
    )
    count = num_downsamplings + 2 * num_residual_layers + 2
    kernels = iter(initializers(kernel_initializer, seed, count))

    inputs = keras.Input(event_shape, name="x")
    x = inputs
    if input_mean is not None:
        mean = constant("input_mean", input_mean, event_shape[-1:])
        x = keras.layers.Rescaling(1.0, (-mean).tolist())(x)
    for width in _widths(filters, num_downsamplings):
        x = convolution(x, width, 4, next(kernels), 2, activation="relu")
    x = convolution(x, filters, 3, next(kernels))
    x = _stack(x, residual_filters, num_residual_layers, kernels)
    if embedding_dim is not None:
        x = convolution(x, embedding_dim, 1, next(kernels))
    return keras.Model(inputs, x, name=name)


def residual_decoder(
    latent_shape: Sequence[int],
    output_shape: Sequence[int],
    filters: int = 128,
    residual_filters: int = 32,
    num_residual_layers: int = 2,
    num_upsamplings: int = 2,
    output_bias: ArrayLike | None = None,
    kernel_initializer: Initializer = "lecun_normal",
    seed: int | None = None,
    name: str = "decoder",
) -> keras.Model:
    """Convolutional network from a grid of codes to likelihood parameters.

    The mirror of `residual_encoder`: a convolution of size 3, a residual
    stack, and `num_upsamplings` transposed convolutions (size 4, stride 2),
    of which the last is linear. It passes through the encoder's sizes,
    cropping where 2 does not divide them.

    Args:
        latent_shape: Shape of one grid, such as `encoder.output_shape[1:]`.
        output_shape: Shape of the parameters of one example: one to three
            axes, then channels.
        filters: Filters of the convolutions; half of them in the transposed
            convolution before the last.
        residual_filters: Filters within a residual layer.
        num_residual_layers: Residual layers.
        num_upsamplings: Transposed convolutions.
        output_bias: Initial bias of the last layer, broadcast to the
            channels. None is zero.
        kernel_initializer: Initializer of every kernel.
        seed: Integer; equal seeds give equal weights. None draws one.
        name: Name of the model.

    Returns:
        A `keras.Model`: (batch, *latent_shape) -> (batch, *output_shape).

    Raises:
        ValueError: If the grid is not the one that an encoder makes of such
            an output, a size is not positive, or the bias does not fit.

    Example:
    >>> decoder = keras_vae.networks.residual_decoder((8, 8, 64), (30, 32, 3))
    >>> decoder.output_shape
    (None, 30, 32, 3)

    Reference:
        van den Oord et al., 2017, section 4.1, in the sizes of Sonnet's
        example for CIFAR-10.
    """
    latent_shape = grid_shape("latent_shape", latent_shape)
    output_shape = grid_shape("output_shape", output_shape)
    filters = positive_int("filters", filters)
    num_upsamplings = positive_int("num_upsamplings", num_upsamplings)
    num_residual_layers = positive_int(
        "num_residual_layers", num_residual_layers
    )
    *axes, channels = output_shape
    sizes = sizes_by_depth(axes, num_upsamplings)
    if list(latent_shape[:-1]) != sizes[0]:
        raise ValueError(
            "`latent_shape` must be `output_shape` halved "
            f"`num_upsamplings` times, {(*sizes[0], latent_shape[-1])}. "
            f"Received: latent_shape={latent_shape}, "
            f"output_shape={output_shape}, "
            f"num_upsamplings={num_upsamplings}"
        )
    count = num_upsamplings + 2 * num_residual_layers + 1
    kernels = iter(initializers(kernel_initializer, seed, count))

    inputs = keras.Input(latent_shape, name="z")
    x = convolution(inputs, filters, 3, next(kernels))
    x = _stack(x, residual_filters, num_residual_layers, kernels)
    widths = _widths(filters, num_upsamplings)[-2::-1]
    for width, larger in zip(widths, sizes[1:]):
        x = upsampling(x, width, larger, next(kernels), activation="relu")
    outputs = upsampling(
        x,
        channels,
        axes,
        next(kernels),
        bias_initializer=constant_initializer(
            "output_bias", output_bias, (channels,)
        ),
    )
    return keras.Model(inputs, outputs, name=name)


def residual_stack(
    x: keras.KerasTensor,
    residual_filters: int = 32,
    num_residual_layers: int = 2,
    kernel_initializer: Initializer = "lecun_normal",
    seed: int | None = None,
) -> keras.KerasTensor:
    """Residual layers on a symbolic tensor, for networks of one's own.

    x <- x + conv1(relu(conv3(relu(x)))), `num_residual_layers` times, then a
    ReLU.

    Args:
        x: `KerasTensor` (batch, ..., channels) with one to three axes.
        residual_filters: Filters of the convolutions of size 3.
        num_residual_layers: Residual layers.
        kernel_initializer: Initializer of every kernel.
        seed: Integer; equal seeds give equal weights. None draws one.

    Returns:
        `KerasTensor` of x's shape.

    Raises:
        ValueError: If a size is not positive.

    Example:
    >>> inputs = keras.Input((7, 7, 16))
    >>> outputs = keras_vae.networks.residual_stack(inputs, seed=0)
    >>> keras.Model(inputs, outputs).output_shape
    (None, 7, 7, 16)

    Reference:
        van den Oord et al., 2017, section 4.1.
    """
    num_residual_layers = positive_int(
        "num_residual_layers", num_residual_layers
    )
    kernels = initializers(kernel_initializer, seed, 2 * num_residual_layers)
    return _stack(x, residual_filters, num_residual_layers, iter(kernels))


def grid_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape of one to three axes and channels, or raise."""
    sizes = positive_ints(name, shape)
    if not 2 <= len(sizes) <= 4:
        raise ValueError(
            f"`{name}` must have one to three axes, then channels. "
            f"Received: {name}={shape!r}"
        )
    return sizes


def _widths(filters: int, num_downsamplings: int) -> list[int]:
    return [max(1, filters // 2)] + [filters] * (num_downsamplings - 1)


def _stack(
    x: keras.KerasTensor,
    residual_filters: int,
    num_residual_layers: int,
    kernels: Iterator[keras.initializers.Initializer],
) -> keras.KerasTensor:
    residual_filters = positive_int("residual_filters", residual_filters)
    for _ in range(num_residual_layers):
        y = keras.layers.ReLU()(x)
        y = convolution(
            y, residual_filters, 3, next(kernels), activation="relu"
        )
        x = keras.layers.Add()(
            [x, convolution(y, x.shape[-1], 1, next(kernels))]
        )
    return keras.layers.ReLU()(x)
