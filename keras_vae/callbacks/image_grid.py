"""Pictures of what a model does, while it trains."""

import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.callbacks.writing import atomic_file
from keras_vae.callbacks.writing import is_chief
from keras_vae.typing import Array
from keras_vae.typing import PathLike
from keras_vae.visualization.tile_images import as_images
from keras_vae.visualization.tile_images import tile_images
from keras_vae.visualization.tile_images import tile_pairs


class ImageGrid(keras.callbacks.Callback):
    """Writes reconstructions and samples as images after each epoch.

    Reconstructions are rows of inputs, each above the row of what the model
    makes of them. Models with `sample` also show samples, from the same
    seed in each epoch, so that one sees the same codes improve.

    Args:
        x: Images to reconstruct, shape `(num, height, width, channels)`, in
            [0, 1], with 1 or 3 channels.
        every: Write after each such number of epochs. Defaults to 1.
        num_samples: Number of samples. Defaults to 64.
        log_dir: Folder for TensorBoard, or None.
        image_dir: Folder for PNG files, or None.
        seed: int, seed of the samples. Defaults to 0.

    Raises:
        ValueError: If `x` holds no such images, `every` or `num_samples` is
            not positive, or there is no folder to write to.

    Example:

    >>> import numpy as np
    >>> from keras_vae.callbacks import ImageGrid
    >>> grid = ImageGrid(np.zeros((8, 28, 28, 1)), image_dir="run/images")
    >>> grid.num_samples
    64
    """

    def __init__(
        self,
        x: Array,
        every: int = 1,
        num_samples: int = 64,
        log_dir: PathLike | None = None,
        image_dir: PathLike | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if log_dir is None and image_dir is None:
            raise ValueError(
                "`log_dir` or `image_dir` must be given. "
                f"Received: log_dir={log_dir}, image_dir={image_dir}"
            )
        self.x = as_images(x, "x")
        self.every = positive_int("every", every)
        self.num_samples = positive_int("num_samples", num_samples)
        self.log_dir = log_dir
        self.image_dir = image_dir
        self.seed = seed
        self._writer = None

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        if (epoch + 1) % self.every != 0 or not is_chief(self.model):
            return
        reconstruction = self.model.reconstruct(self.x)
        grids = {"reconstructions": tile_pairs(self.x, reconstruction)}
        if hasattr(self.model, "sample"):
            samples = self.model.sample(self.num_samples, seed=self.seed)
            grids["samples"] = tile_images(samples)
        for name, grid in grids.items():
            pixels = np.round(255.0 * _enlarge(grid)).astype("uint8")
            if self.image_dir is not None:
                self._write_png(name, epoch, pixels)
            if self.log_dir is not None:
                self._write_summary(name, epoch, pixels)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write_png(self, name, epoch, pixels):
        # Numbered as in Keras's progress display, from 1.
        path = pathlib.Path(self.image_dir) / f"{name}-{epoch + 1:05d}.png"
        with atomic_file(path) as file:
            file.write(tf.io.encode_png(pixels).numpy())

    def _write_summary(self, name, epoch, pixels):
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self.log_dir))
        # Numbered as Keras's TensorBoard callback numbers scalars, from 0.
        with self._writer.as_default():
            tf.summary.image(name, pixels[None], step=epoch)
        self._writer.flush()


def _enlarge(grid, size=400):
    """Small pictures by a whole factor, so that viewers do not blur them."""
    factor = max(1, size // max(grid.shape[:2]))
    return grid.repeat(factor, axis=0).repeat(factor, axis=1)
