"""Convolutions of images, of series and of videos alike."""

from collections.abc import Sequence
from typing import Any

import keras

LAYERS = {
    "convolution": {
        1: keras.layers.Conv1D,
        2: keras.layers.Conv2D,
        3: keras.layers.Conv3D,
    },
    "transposed": {
        1: keras.layers.Conv1DTranspose,
        2: keras.layers.Conv2DTranspose,
        3: keras.layers.Conv3DTranspose,
    },
    "cropping": {
        1: keras.layers.Cropping1D,
        2: keras.layers.Cropping2D,
        3: keras.layers.Cropping3D,
    },
}


def convolution(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    kernel_initializer: keras.initializers.Initializer,
    strides: int = 1,
    **arguments: Any,
) -> keras.KerasTensor:
    """Return a padded convolution of x, which divides sizes by `strides`."""
    layer = LAYERS["convolution"][len(x.shape) - 2]
    return layer(
        filters,
        size,
        strides,
        padding="same",
        kernel_initializer=kernel_initializer,
        **arguments,
    )(x)


def upsampling(
    x: keras.KerasTensor,
    filters: int,
    sizes: Sequence[int],
    kernel_initializer: keras.initializers.Initializer,
    **arguments: Any,
) -> keras.KerasTensor:
    """Return a transposed convolution of x, cropped to `sizes`.

    Kernels have size 4 and stride 2: the mirror of a convolution with these.
    """
    rank = len(x.shape) - 2
    excess = [2 * n - m for n, m in zip(x.shape[1:-1], sizes)]
    x = LAYERS["transposed"][rank](
        filters,
        4,
        2,
        padding="same",
        kernel_initializer=_with_fans_exchanged(kernel_initializer),
        **arguments,
    )(x)
    if any(excess):
        crops = [(0, e) for e in excess]
        x = LAYERS["cropping"][rank](crops[0] if rank == 1 else crops)(x)
    return x


def _with_fans_exchanged(
    initializer: keras.initializers.Initializer,
) -> keras.initializers.Initializer:
    # Keras takes a kernel's last axis for the outputs. Here it is the inputs.
    other = {"fan_in": "fan_out", "fan_out": "fan_in"}
    mode = other.get(getattr(initializer, "mode", ""))
    if mode is None:
        return initializer
    return keras.initializers.VarianceScaling(
        initializer.scale, mode, initializer.distribution, initializer.seed
    )
