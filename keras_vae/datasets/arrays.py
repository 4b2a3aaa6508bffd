import dataclasses
from typing import Self

import keras
import numpy as np

# Dtypes of indices: no pixels.
_CODES = (np.dtype("int32"), np.dtype("int64"))


@dataclasses.dataclass(frozen=True, eq=False)
class Arrays:
    """The three splits of an image set in memory.

    Images are (count, height, width, channels), either float32 in [0, 1] or
    uint8; labels are int32 (count,), or None where the set has none. In the
    place of images there may be codes of any shape, or dicts of arrays.

    Args:
        x_train: Training images.
        y_train: Their labels, or None.
        x_validation: Validation images, possibly none at all.
        y_validation: Their labels, or None.
        x_test: Test images.
        y_test: Their labels, or None.

    Example:
    >>> arrays = keras_vae.datasets.load_arrays("digits")
    >>> arrays.x_train.shape, arrays.pixel_max
    ((1257, 8, 8, 1), 1)
    """

    x_train: np.ndarray
    y_train: np.ndarray | None
    x_validation: np.ndarray
    y_validation: np.ndarray | None
    x_test: np.ndarray
    y_test: np.ndarray | None

    @property
    def pixel_max(self) -> int:
        """The pixel value that stands for 1: 255 in uint8 grey images."""
        x = self.x_train
        if isinstance(x, dict):
            return 1
        grey = x.dtype == np.uint8 and x.max() > 1
        return 255 if grey else 1

    def as_float32(self) -> Self:
        """The same in float32, images in [0, 1], as pipelines yield them.

        Codes, of int32 or int64, stay what they are.
        """
        scale = np.float32(self.pixel_max)

        def converted(x: np.ndarray) -> np.ndarray:
            return x if x.dtype in _CODES else x.astype("float32") / scale

        splits = ("x_train", "x_validation", "x_test")
        return dataclasses.replace(
            self,
            **{
                s: keras.tree.map_structure(converted, getattr(self, s))
                for s in splits
            },
        )
