"""Convolutions of images, of series and of videos alike."""

import math
from collections.abc import Sequence
from typing import Any

import keras

# Layers by the number of axes between batch and channels.
_CONVOLUTION = {
    1: keras.layers.Conv1D,
    2: keras.layers.Conv2D,
    3: keras.layers.Conv3D,
}
_TRANSPOSED = {
    1: keras.layers.Conv1DTranspose,
    2: keras.layers.Conv2DTranspose,
    3: keras.layers.Conv3DTranspose,
}
_CROPPING = {
    1: keras.layers.Cropping1D,
    2: keras.layers.Cropping2D,
    3: keras.layers.Cropping3D,
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
    layer = _CONVOLUTION[len(x.shape) - 2]
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
    x = _TRANSPOSED[len(sizes)](
        filters,
        4,
        2,
        padding="same",
        kernel_initializer=_with_fans_exchanged(kernel_initializer),
        **arguments,
    )(x)
    return crop(x, sizes)


def crop(x: keras.KerasTensor, sizes: Sequence[int]) -> keras.KerasTensor:
    """Return the beginning of x along each axis, of these sizes."""
    excess = [n - m for n, m in zip(x.shape[1:-1], sizes, strict=True)]
    if not any(excess):
        return x
    crops = [(0, e) for e in excess]
    return _CROPPING[len(crops)](crops[0] if len(crops) == 1 else crops)(x)


def sizes_by_depth(
    sizes: Sequence[int], count: int, strides: int = 2
) -> list[list[int]]:
    """Return what `count` padded convolutions make of `sizes`, last first.

    The end of the list are `sizes`: what a decoder passes through.
    """
    passed = [list(sizes)]
    for _ in range(count):
        passed.insert(0, [math.ceil(n / strides) for n in passed[0]])
    return passed


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
