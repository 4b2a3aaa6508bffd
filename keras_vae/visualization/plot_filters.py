"""What the units of the first layer look for."""

import math
from collections.abc import Iterator
from collections.abc import Sequence

import keras
import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.typing import Array
from keras_vae.typing import Figure
from keras_vae.visualization.image_grid import image_grid
from keras_vae.visualization.tile_images import is_image_batch


def plot_filters(
    model_or_kernel: keras.Model | Array,
    event_shape: Sequence[int] | None = None,
    num: int = 100,
    columns: int | None = None,
    title: str | None = None,
) -> Figure:
    """Show the weights from an image to each unit of the first dense layer.

    Each filter is divided by its largest absolute weight: white is that,
    black its negative, mid-grey is zero.

    Args:
        model_or_kernel: Array `(pixels, units)`, or a built model: the first
            kernel of that rank in its `encoder`, or in itself.
        event_shape: Shape of an image, `(height, width, channels)` with 1 or
            3 channels. Defaults to that of the model.
        num: Filters at most, the first of them. Defaults to 100.
        columns: Filters in a row. Defaults to about the square root of their
            number.
        title: None, or str above the grid.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there is no such kernel, or its columns are no images
            of `event_shape`.
    """
    num = positive_int("num", num)
    if event_shape is None:
        event_shape = getattr(model_or_kernel, "event_shape", None)
    event_shape = positive_ints("event_shape", event_shape)
    kernel = _kernel(model_or_kernel)
    size = math.prod(event_shape)
    if kernel.ndim != 2 or len(kernel) != size or kernel.size == 0:
        raise ValueError(
            f"The kernel must have shape ({size}, units) for images of shape "
            f"{event_shape}. Received: kernel of shape {kernel.shape}"
        )
    filters = kernel[:, :num].T.reshape(-1, *event_shape)
    if not is_image_batch(filters):
        raise ValueError(
            "`event_shape` must be (height, width, channels) with 1 or 3 "
            f"channels. Received: event_shape={event_shape}"
        )
    largest = np.max(np.abs(filters), axis=(1, 2, 3), keepdims=True)
    filters = filters / np.where(largest > 0.0, largest, 1.0)
    return image_grid(0.5 + 0.5 * filters, columns, title)


def _kernel(source: keras.layers.Layer | Array) -> Array:
    """The array itself, or the first dense kernel of a model."""
    if not isinstance(source, keras.Layer):
        return np.asarray(source, "float32")
    network = getattr(source, "encoder", source)
    for layer in _leaves(network):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and len(kernel.shape) == 2:
            return keras.ops.convert_to_numpy(kernel).astype("float32")
    raise ValueError(
        "The model must have a built dense layer in its encoder. "
        f"Received: {source.name!r} without one"
    )


def _leaves(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """The layers of a network in order, those of networks inside it too."""
    inner = getattr(layer, "layers", None)
    if inner is None:
        yield layer
    for part in inner or []:
        yield from _leaves(part)
