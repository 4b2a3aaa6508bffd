"""Networks of hierarchical and ladder VAEs, for any number of levels."""

import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_ints
from keras_vae.networks.arguments import constant_initializer
from keras_vae.networks.arguments import initializers
from keras_vae.networks.convolution import convolution
from keras_vae.networks.convolution import sizes_by_depth
from keras_vae.networks.convolution import upsampling
from keras_vae.networks.residual import grid_shape
from keras_vae.typing import Initializer

_MOMENTUM = 0.98


def mlp_hierarchy(
    event_shape: Sequence[int],
    latent_dims: Sequence[int] = (64, 32, 16, 8, 4),
    units: Sequence[int] = (512, 256, 128, 64, 32),
    ladder: bool = False,
    batch_norm: bool = False,
    num_layers: int = 2,
    negative_slope: float = 0.1,
    output_shape: Sequence[int] | None = None,
    output_bias: ArrayLike | None = None,
    kernel_initializer: Initializer = "glorot_uniform",
    seed: int | None = None,
) -> tuple[list[keras.Model], list[keras.Model], keras.Model]:
    """Fully connected encoders, generators and decoder of a hierarchy.

    Every network has `num_layers` layers of the width of its level, with
    leaky ReLU, after batch normalisation if that is asked for.

    Args:
        event_shape: Shape of one example; it is flattened.
        latent_dims: Size of each level's latent variable, bottom first.
        units: Width of each level's layers, bottom first.
        ladder: Whether the encoders above the first take the features below
            (`keras_vae.LadderVAE`), or the latent variable
            (`keras_vae.HierarchicalVAE`).
        batch_norm: Whether hidden layers are normalised, with the statistics
            of the global batch in training.
        num_layers: Hidden layers in each network.
        negative_slope: Of the activation.
        output_shape: Shape of the likelihood parameters. None takes that of
            the event.
        output_bias: Initial bias of the decoder's last layer, broadcast to
            `output_shape`. None is zero.
        kernel_initializer: Initializer of every kernel.
        seed: Integer; equal seeds give equal weights. None draws one.

    Returns:
        Tuple (encoders, generators, decoder): lists of L and L - 1
        `keras.Model`s, bottom first, and a `keras.Model`.

    Raises:
        ValueError: If a shape or width is not positive, or the lists are of
            different lengths.

    Example:
    >>> encoders, generators, decoder = keras_vae.networks.mlp_hierarchy(
    ...     (28, 28, 1), latent_dims=(32, 8), units=(256, 128)
    ... )
    >>> [encoder.output_shape for encoder in encoders]
    [(None, 256), (None, 128)]
    >>> generators[0].input_shape, generators[0].output_shape
    ((None, 8), (None, 128))

    Reference:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, 2016, section 3.
    """
    event_shape = positive_ints("event_shape", event_shape)
    latent_dims = positive_ints("latent_dims", latent_dims)
    num_levels = len(latent_dims)
    units = positive_ints("units", units)
    _check_levels("units", units, num_levels)
    output_shape = positive_ints("output_shape", output_shape or event_shape)
    (num_layers,) = positive_ints("num_layers", [num_layers])
    count = 2 * num_levels * num_layers + 1
    kernels = iter(initializers(kernel_initializer, seed, count))

    def hidden(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
        for _ in range(num_layers):
            x = keras.layers.Dense(
                width,
                use_bias=not batch_norm,
                kernel_initializer=next(kernels),
            )(x)
            x = _activate(x, batch_norm, negative_slope)
        return x

    encoders, generators = [], []
    for level, width in enumerate(units):
        below = units if ladder else latent_dims
        shape = (below[level - 1],) if level else event_shape
        inputs = keras.Input(shape, name="z" if level else "x")
        x = inputs if level else keras.layers.Flatten()(inputs)
        encoders.append(
            keras.Model(inputs, hidden(x, width), name=f"encoder_{level + 1}")
        )
    for level in range(1, num_levels):
        inputs = keras.Input((latent_dims[level],), name="z")
        generators.append(
            keras.Model(
                inputs,
                hidden(inputs, units[level]),
                name=f"generator_{level}",
            )
        )
    inputs = keras.Input((latent_dims[0],), name="z")
    outputs = keras.layers.Dense(
        math.prod(output_shape),
        kernel_initializer=next(kernels),
        bias_initializer=constant_initializer(
            "output_bias", output_bias, output_shape
        ),
    )(hidden(inputs, units[0]))
    outputs = keras.layers.Reshape(output_shape)(outputs)
    return encoders, generators, keras.Model(inputs, outputs, name="decoder")


def conv_hierarchy(
    event_shape: Sequence[int],
    latent_channels: Sequence[int] = (8, 16),
    filters: Sequence[int] = (32, 64),
    ladder: bool = False,
    batch_norm: bool = False,
    negative_slope: float = 0.1,
    output_channels: int | None = None,
    output_bias: ArrayLike | None = None,
    kernel_initializer: Initializer = "glorot_uniform",
    seed: int | None = None,
) -> tuple[list[keras.Model], list[keras.Model], keras.Model]:
    """Convolutional encoders, generators and decoder of a hierarchy.

    Each level halves every axis, rounded up: a convolution of size 4 and
    stride 2, then one of size 3. Latent variables are grids: see
    `conv_latent_shapes`.

    Args:
        event_shape: Shape of one example: one to three axes, then channels.
        latent_channels: Channels of each level's latent variable, bottom
            first.
        filters: Filters of each level, bottom first.
        ladder: As in `mlp_hierarchy`.
        batch_norm: As in `mlp_hierarchy`.
        negative_slope: Of the activation, a leaky ReLU.
        output_channels: Channels of the likelihood parameters. None takes
            those of the event.
        output_bias: Initial bias of the decoder's last layer, broadcast to
            the channels. None is zero.
        kernel_initializer: Initializer of every kernel.
        seed: Integer; equal seeds give equal weights. None draws one.

    Returns:
        Tuple (encoders, generators, decoder), as `mlp_hierarchy`.

    Raises:
        ValueError: If a size is not positive, or the lists are of different
            lengths.

    Example:
    >>> encoders, generators, decoder = keras_vae.networks.conv_hierarchy(
    ...     (28, 28, 1), latent_channels=(4, 8), ladder=True
    ... )
    >>> [encoder.output_shape for encoder in encoders]
    [(None, 14, 14, 32), (None, 7, 7, 64)]
    >>> keras_vae.networks.conv_latent_shapes((28, 28, 1), (4, 8))
    [(14, 14, 4), (7, 7, 8)]

    Reference:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, 2016, section 2.
    """
    event_shape = grid_shape("event_shape", event_shape)
    shapes = conv_latent_shapes(event_shape, latent_channels)
    num_levels = len(shapes)
    filters = positive_ints("filters", filters)
    _check_levels("filters", filters, num_levels)
    if output_channels is None:
        output_channels = event_shape[-1]
    count = 4 * num_levels
    kernels = iter(initializers(kernel_initializer, seed, count))

    def activated(
        layer: Callable[..., keras.KerasTensor], *arguments: Any, **options: Any
    ) -> keras.KerasTensor:
        x = layer(*arguments, next(kernels), **options)
        return _activate(x, batch_norm, negative_slope)

    encoders, generators = [], []
    for level, width in enumerate(filters):
        shape = shapes[level - 1] if level else event_shape
        if level and ladder:
            shape = (*shape[:-1], filters[level - 1])
        inputs = keras.Input(shape, name="z" if level else "x")
        x = activated(convolution, inputs, width, 4, strides=2)
        x = activated(convolution, x, width, 3)
        encoders.append(keras.Model(inputs, x, name=f"encoder_{level + 1}"))
    for level in range(1, num_levels):
        inputs = keras.Input(shapes[level], name="z")
        width = filters[level]
        x = activated(convolution, inputs, width, 3)
        x = activated(upsampling, x, width, shapes[level - 1][:-1])
        generators.append(keras.Model(inputs, x, name=f"generator_{level}"))
    inputs = keras.Input(shapes[0], name="z")
    x = activated(convolution, inputs, filters[0], 3)
    outputs = upsampling(
        x,
        output_channels,
        event_shape[:-1],
        next(kernels),
        bias_initializer=constant_initializer(
            "output_bias", output_bias, (output_channels,)
        ),
    )
    return encoders, generators, keras.Model(inputs, outputs, name="decoder")


def conv_latent_shapes(
    event_shape: Sequence[int], latent_channels: Sequence[int]
) -> list[tuple[int, ...]]:
    """Shapes of the latent variables of `conv_hierarchy`, bottom first.

    Args:
        event_shape: Shape of one example: one to three axes, then channels.
        latent_channels: Channels of each level, bottom first.

    Returns:
        List of tuples (*positions, channels), `latent_dims` of a model.

    Raises:
        ValueError: If a size is not positive.

    Example:
    >>> keras_vae.networks.conv_latent_shapes((7, 1), (2, 3))
    [(4, 2), (2, 3)]
    """
    *sizes, _ = grid_shape("event_shape", event_shape)
    latent_channels = positive_ints("latent_channels", latent_channels)
    halved = sizes_by_depth(sizes, len(latent_channels))[-2::-1]
    return [(*size, n) for size, n in zip(halved, latent_channels)]


def _activate(
    x: keras.KerasTensor, batch_norm: bool, negative_slope: float
) -> keras.KerasTensor:
    if batch_norm:
        x = keras.layers.BatchNormalization(
            momentum=_MOMENTUM, synchronized=True
        )(x)
    return keras.layers.LeakyReLU(negative_slope)(x)


def _check_levels(name: str, values: Sequence[int], num_levels: int) -> None:
    if len(values) != num_levels:
        raise ValueError(
            f"`{name}` must hold a number for each of {num_levels} levels. "
            f"Received: {name}={values}"
        )
