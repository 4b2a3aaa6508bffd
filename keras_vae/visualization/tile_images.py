"""Many images as one."""

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.typing import Array
from keras_vae.typing import TensorLike


def is_image_batch(images: Array) -> bool:
    """Whether an array can be shown: rank 4, with 1 or 3 channels."""
    return np.ndim(images) == 4 and np.shape(images)[-1] in (1, 3)


def as_images(
    images: ArrayLike | TensorLike, argument: str = "images"
) -> Array:
    """Return images as a float32 array in [0, 1], or raise.

    Args:
        images: Array or tensor.
        argument: str, its name in the error message.

    Raises:
        ValueError: If these are not images, or there are none.
    """
    images = np.asarray(images)
    if not is_image_batch(images) or images.size == 0:
        raise ValueError(
            f"`{argument}` must be images of shape (num, height, width, "
            "channels) with 1 or 3 channels; other data cannot be shown as "
            f"pictures. Received: {argument} of shape {images.shape}"
        )
    return np.clip(images.astype("float32"), 0.0, 1.0)


def tile_images(
    images: ArrayLike | TensorLike, columns: int | None = None, padding: int = 1
) -> Array:
    """Lay images side by side, row after row, on a white ground.

    Args:
        images: Array `(num, height, width, channels)` with 1 or 3 channels;
            values are clipped to [0, 1].
        columns: Images in a row. Defaults to about the square root of `num`.
        padding: Pixels between images. Defaults to 1.

    Returns:
        float32 array `(rows * (height + padding) - padding, columns * (width
        + padding) - padding, channels)`.

    Raises:
        ValueError: If `images` are not images or `columns` is not positive.

    Example:

    >>> import numpy as np
    >>> from keras_vae.visualization import tile_images
    >>> tile_images(np.zeros((6, 4, 4, 1)), columns=3).shape
    (9, 14, 1)
    """
    images = as_images(images)
    num, height, width, channels = images.shape
    if columns is None:
        columns = int(np.ceil(np.sqrt(num)))
    columns = positive_int("columns", columns)
    rows = -(-num // columns)
    grid = np.ones(
        (rows, height + padding, columns, width + padding, channels), "float32"
    )
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        grid[row, :height, column, :width] = image
    grid = grid.reshape(rows * (height + padding), -1, channels)
    return grid[: grid.shape[0] - padding, : grid.shape[1] - padding]


def tile_pairs(
    x: ArrayLike | TensorLike,
    reconstructions: ArrayLike | TensorLike,
    columns: int | None = None,
    padding: int = 1,
) -> Array:
    """Tile rows of inputs, each above the row of their reconstructions.

    Args:
        x: Images.
        reconstructions: Images of the shape of `x`.
        columns: Images in a row. Defaults to at most 10.
        padding: As in `tile_images`.

    Returns:
        float32 array, as `tile_images`.

    Raises:
        ValueError: If these are not images of one shape.
    """
    x = as_images(x, "x")
    reconstructions = as_images(reconstructions, "reconstructions")
    if x.shape != reconstructions.shape:
        raise ValueError(
            f"`reconstructions` must have the shape of `x`, {x.shape}. "
            f"Received: reconstructions of shape {reconstructions.shape}"
        )
    columns = columns or min(10, len(x))
    images = []
    for start in range(0, len(x), columns):
        for part in (x, reconstructions):
            row = part[start : start + columns]
            missing = columns - len(row)
            images += [row, np.ones((missing, *x.shape[1:]), "float32")]
    return tile_images(np.concatenate(images), columns, padding)
