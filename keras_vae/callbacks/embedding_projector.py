"""Codes for TensorBoard's projector."""

import io
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_vae.callbacks.writing import atomic_file
from keras_vae.callbacks.writing import is_chief
from keras_vae.evaluation.encode_in_batches import encode_in_batches
from keras_vae.typing import Array
from keras_vae.typing import PathLike
from keras_vae.visualization.tile_images import as_images
from keras_vae.visualization.tile_images import is_image_batch
from keras_vae.visualization.tile_images import tile_images

# The projector loads no larger sprite.
_MAX_SPRITE = 8192


class EmbeddingProjector(keras.callbacks.Callback):
    """Writes codes for TensorBoard's embedding projector when training ends.

    It writes `tensors.tsv`, `metadata.tsv` (with labels), `sprite.png` (for
    images: the thumbnails in the projector) and `projector_config.pbtxt`.

    Args:
        x: Inputs to encode. Images, shape `(num, height, width, 1 or 3)` in
            [0, 1], also become thumbnails.
        labels: None, or one label (number or string) for each input.
        log_dir: Folder given to `tensorboard --logdir`.
        batch_size: Examples encoded at a time. Defaults to 1000.

    Raises:
        ValueError: If there is not one label for each input, or if the
            thumbnails exceed the projector's limit of 8192 x 8192 pixels.

    Example:

    >>> import numpy as np
    >>> from keras_vae.callbacks import EmbeddingProjector
    >>> x, labels = np.zeros((10, 28, 28, 1)), np.arange(10)
    >>> projector = EmbeddingProjector(x, labels, log_dir="run/tensorboard")
    >>> projector.labels.shape
    (10,)
    """

    def __init__(
        self,
        x: Array,
        labels: ArrayLike | None = None,
        *,
        log_dir: PathLike,
        batch_size: int = 1000,
    ) -> None:
        super().__init__()
        self.x = np.asarray(x)
        self.labels = None if labels is None else np.asarray(labels)
        self.log_dir = log_dir
        self.batch_size = batch_size
        if self.labels is not None and self.labels.shape != (len(self.x),):
            raise ValueError(
                f"`labels` must have shape ({len(self.x)},), one for each "
                f"input. Received: labels of shape {self.labels.shape}"
            )
        columns = int(np.ceil(np.sqrt(len(self.x))))
        if (
            is_image_batch(self.x)
            and columns * max(self.x.shape[1:3]) > _MAX_SPRITE
        ):
            raise ValueError(
                f"The thumbnails must fit into {_MAX_SPRITE} x {_MAX_SPRITE} "
                f"pixels: give fewer images. Received: x of shape "
                f"{self.x.shape}"
            )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if not is_chief(self.model):
            return
        from google.protobuf import text_format
        from tensorboard.plugins import projector

        config = projector.ProjectorConfig()
        embedding = config.embeddings.add(
            tensor_name="codes", tensor_path="tensors.tsv"
        )
        codes = encode_in_batches(self.model, self.x, self.batch_size)
        table = io.BytesIO()
        np.savetxt(table, codes, fmt="%.9g", delimiter="\t")
        self._write("tensors.tsv", table.getvalue())
        if self.labels is not None:
            embedding.metadata_path = "metadata.tsv"
            lines = "".join(f"{label}\n" for label in self.labels)
            self._write("metadata.tsv", lines.encode())
        if is_image_batch(self.x):
            embedding.sprite.image_path = "sprite.png"
            height, width = self.x.shape[1:3]
            embedding.sprite.single_image_dim.extend([width, height])
            self._write("sprite.png", self._sprite())
        self._write(
            "projector_config.pbtxt",
            text_format.MessageToString(config).encode(),
        )

    def _sprite(self):
        columns = int(np.ceil(np.sqrt(len(self.x))))
        sprite = tile_images(as_images(self.x, "x"), columns, padding=0)
        pixels = np.round(255.0 * sprite).astype("uint8")
        return tf.io.encode_png(pixels).numpy()

    def _write(self, name, data):
        with atomic_file(pathlib.Path(self.log_dir) / name) as file:
            file.write(data)
