"""Videos as animated GIF files."""

import io
import pathlib

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.callbacks.writing import atomic_file
from keras_vae.typing import PathLike
from keras_vae.visualization.tile_images import tile_images


def save_animation(
    videos: ArrayLike,
    path: PathLike,
    columns: int | None = None,
    frame_seconds: float = 0.15,
    zoom: int = 4,
) -> None:
    """Write videos side by side to an animated GIF, atomically.

    Args:
        videos: Array `(num, frames, height, width, channels)` in [0, 1] with
            1 or 3 channels.
        path: The file, .gif. Missing folders are made.
        columns: Videos in a row. Defaults to about the square root of `num`.
        frame_seconds: How long a frame is shown, at least 0.02.
        zoom: int, pixels of the file for each of a video's, along an axis.

    Raises:
        ValueError: If these are not videos, the file is no .gif, or a number
            is out of its range.

    Example:

    >>> import numpy as np, tempfile
    >>> from keras_vae.visualization import save_animation
    >>> folder = tempfile.mkdtemp()
    >>> save_animation(np.zeros((2, 5, 8, 8, 1)), f"{folder}/videos.gif")
    """
    from PIL import Image

    videos = np.asarray(videos)
    path = pathlib.Path(path)
    if videos.ndim != 5 or videos.size == 0:
        raise ValueError(
            "`videos` must have shape (num, frames, height, width, channels). "
            f"Received: videos of shape {videos.shape}"
        )
    if path.suffix.lower() != ".gif":
        raise ValueError(f"`path` must end in .gif. Received: path={path}")
    if not frame_seconds >= 0.02:
        raise ValueError(
            "`frame_seconds` must be at least 0.02. "
            f"Received: frame_seconds={frame_seconds}"
        )
    zoom = positive_int("zoom", zoom)
    frames = []
    for images in videos.swapaxes(0, 1):
        picture = tile_images(images, columns).repeat(zoom, 0).repeat(zoom, 1)
        pixels = np.rint(255 * picture).astype("uint8")
        grey = pixels.shape[-1] == 1
        frames.append(Image.fromarray(pixels[..., 0] if grey else pixels))
    first, *others = frames
    data = io.BytesIO()
    first.save(
        data,
        format="GIF",
        save_all=True,
        append_images=others,
        duration=round(1000 * frame_seconds),
        loop=0,
    )
    with atomic_file(path) as file:
        file.write(data.getvalue())
