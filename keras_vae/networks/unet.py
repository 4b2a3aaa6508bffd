"""The network of a diffusion model, for series, images and videos."""

from collections.abc import Iterator
from collections.abc import Sequence

import keras

from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.layers.self_attention import SelfAttention
from keras_vae.layers.sinusoidal_embedding import SinusoidalEmbedding
from keras_vae.layers.time_residual import TimeResidual
from keras_vae.networks.convolution import convolution
from keras_vae.networks.convolution import crop
from keras_vae.networks.residual import grid_shape
from keras_vae.random import spawn_seeds

_UPSAMPLING = {
    1: keras.layers.UpSampling1D,
    2: keras.layers.UpSampling2D,
    3: keras.layers.UpSampling3D,
}


def unet(
    event_shape: Sequence[int],
    filters: int = 32,
    multipliers: Sequence[int] = (1, 2, 2),
    num_residual: int = 1,
    attention: Sequence[int] = (1,),
    num_heads: int = 1,
    num_groups: int = 8,
    dropout: float = 0.0,
    output_channels: int | None = None,
    seed: int | None = None,
    name: str = "unet",
) -> keras.Model:
    """U-Net from noised data and the time to something of the data's shape.

    Level l, 0 the finest, has `filters * multipliers[l]` channels. Going
    down, every level has `num_residual` residual blocks, and a convolution of
    stride 2 below it; at the bottom a block, self-attention and a block; going
    up, one block more for each level, and every block reads what the way down
    left at its size. Sizes that 2 does not divide are rounded up and cropped.
    The time reaches every block; the last convolution is zero at first.

    The network of Ho et al. for CIFAR-10, 35.7 million weights, is
    `unet((32, 32, 3), 128, (1, 2, 2, 2), num_residual=2, attention=(1,),
    num_groups=32, dropout=0.1)`.

    Args:
        event_shape: Shape of one example: one to three axes, then channels.
        filters: Channels of the convolutions at a multiplier of 1.
        multipliers: One for each level.
        num_residual: Residual blocks of a level, on the way down.
        attention: Levels whose blocks are followed by self-attention, of
            which the cost is quadratic in the number of positions.
        num_heads: Heads of self-attention.
        num_groups: Groups of the normalisations; divides all channels.
        dropout: Fraction of units dropped in the blocks, in training.
        output_channels: Channels of the output. None: those of the event.
        seed: Integer; equal seeds give equal weights. None draws one.
        name: Name of the model.

    Returns:
        A `keras.Model`: [(batch, *event_shape), (batch,)] -> (batch,
        *event_shape[:-1], output_channels). The second input is the time t/T
        in [0, 1].

    Raises:
        ValueError: If the event has no such shape, a size is not positive or
            does not fit, or a level of `attention` does not exist.

    Example:
    >>> network = keras_vae.networks.unet((28, 28, 1), filters=16)
    >>> network([np.zeros((2, 28, 28, 1)), np.array([0.1, 0.9])]).shape
    TensorShape([2, 28, 28, 1])

    Reference:
        Ho, Jain, Abbeel, 2020, appendix B; Ronneberger, Fischer, Brox, 2015.
    """
    event_shape = grid_shape("event_shape", event_shape)
    filters = positive_int("filters", filters)
    multipliers = positive_ints("multipliers", multipliers)
    num_residual = positive_int("num_residual", num_residual)
    attention = tuple(attention)
    levels = range(len(multipliers))
    if not set(attention) <= set(levels):
        raise ValueError(
            "`attention` must hold levels, from 0 to "
            f"{len(multipliers) - 1}. Received: attention={attention}"
        )
    if filters % positive_int("num_groups", num_groups):
        raise ValueError(
            "`num_groups` must divide `filters`. "
            f"Received: num_groups={num_groups}, filters={filters}"
        )
    if output_channels is None:
        output_channels = event_shape[-1]
    # More than there are layers.
    seeds = iter(spawn_seeds(seed, (4 * num_residual + 8) * len(levels) + 8))

    x_t = keras.Input(event_shape, name="x_t")
    t = keras.Input((), name="t")
    time = _time_features(t, filters, seeds)

    def block(x: keras.KerasTensor, level: int) -> keras.KerasTensor:
        width = filters * multipliers[level]
        x = TimeResidual(width, num_groups, dropout, next(seeds))([x, time])
        return attend(x) if level in attention else x

    def attend(x: keras.KerasTensor) -> keras.KerasTensor:
        return SelfAttention(num_heads, num_groups, next(seeds))(x)

    # === Down ===
    x = convolution(x_t, filters, 3, _uniform(seeds))
    left = [x]
    for level in levels:
        for _ in range(num_residual):
            x = block(x, level)
            left.append(x)
        if level != levels[-1]:
            x = convolution(x, x.shape[-1], 3, _uniform(seeds), strides=2)
            left.append(x)

    # === Bottom ===
    width = filters * multipliers[-1]
    x = TimeResidual(width, num_groups, dropout, next(seeds))([x, time])
    x = attend(x)
    x = TimeResidual(width, num_groups, dropout, next(seeds))([x, time])

    # === Up ===
    for level in reversed(levels):
        for _ in range(num_residual + 1):
            x = keras.layers.Concatenate()([x, left.pop()])
            x = block(x, level)
        if level != 0:
            x = _upsample(x, left[-1].shape[1:-1], _uniform(seeds))

    # Moments in half precision would be too rough.
    x = keras.layers.GroupNormalization(num_groups, dtype="float32")(x)
    x = keras.layers.Activation("silu")(x)
    outputs = convolution(x, output_channels, 3, "zeros")
    return keras.Model([x_t, t], outputs, name=name)


def _time_features(
    t: keras.KerasTensor, filters: int, seeds: Iterator[int]
) -> keras.KerasTensor:
    """Features (batch, 4 * filters) of the time."""
    time = SinusoidalEmbedding(filters)(t)
    time = keras.layers.Dense(
        4 * filters, activation="silu", kernel_initializer=_uniform(seeds)
    )(time)
    return keras.layers.Dense(4 * filters, kernel_initializer=_uniform(seeds))(
        time
    )


def _upsample(
    x: keras.KerasTensor,
    sizes: Sequence[int],
    kernel_initializer: keras.initializers.Initializer,
) -> keras.KerasTensor:
    """Nearest neighbours of twice the size, cropped, and a convolution."""
    x = crop(_UPSAMPLING[len(sizes)](2)(x), sizes)
    return convolution(x, x.shape[-1], 3, kernel_initializer)


def _uniform(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(next(seeds))
