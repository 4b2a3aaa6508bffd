"""Images of every combination of factors of variation."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.typing import Array
from keras_vae.typing import TensorLike


class FactorImages:
    """Image set whose factors of variation are known, one image of each.

    The image of factors (i, .., j) is number `index([[i, .., j]])`: the last
    factor is the fastest. Binary images are kept as bits.

    Args:
        images: Array (num, height, width, channels) of 0 and 1; or, with
            `event_shape`, the bits of each image, see `numpy.packbits`,
            uint8 (num, bytes).
        factor_sizes: Number of values of each factor; num is their product.
        factor_names: Names of the factors.
        event_shape: None, or (height, width, channels) of images that are
            bits.

    Attributes:
        factor_sizes: tuple of ints.
        factor_names: tuple of str.
        event_shape: tuple (height, width, channels).

    Raises:
        ValueError: If numbers of images, sizes and names do not fit.

    Example:
    >>> data = keras_vae.datasets.sprites(size=16)
    >>> factors = data.sample_factors(5, np.random.default_rng(0))
    >>> data.images(factors).shape
    (5, 16, 16, 1)
    """

    def __init__(
        self,
        images: Array,
        factor_sizes: Sequence[int],
        factor_names: Sequence[str],
        event_shape: Sequence[int] | None = None,
    ) -> None:
        self.factor_sizes = tuple(
            positive_int("factor_sizes", size) for size in factor_sizes
        )
        self.factor_names = tuple(factor_names)
        if len(self.factor_names) != len(self.factor_sizes):
            raise ValueError(
                "`factor_names` must hold a name for each of "
                f"{len(self.factor_sizes)} factors. "
                f"Received: factor_names={self.factor_names}"
            )
        if len(images) != self.num_images:
            raise ValueError(
                f"`images` must hold {self.num_images} images, one for each "
                f"combination of factors. Received: {len(images)} images"
            )
        if event_shape is None:
            event_shape = images.shape[1:]
            images = pack(images)
        self.event_shape = tuple(event_shape)
        self._bits = images
        self._constant = None

    @property
    def num_images(self) -> int:
        return math.prod(self.factor_sizes)

    @property
    def num_factors(self) -> int:
        return len(self.factor_sizes)

    def sample_factors(self, num: int, rng: np.random.Generator) -> Array:
        """Draws factors uniformly: int64 array (num, num_factors).

        Args:
            num: int >= 1.
            rng: `numpy.random.Generator`.
        """
        sizes = self.factor_sizes
        return rng.integers(0, sizes, (positive_int("num", num), len(sizes)))

    def index(self, factors: ArrayLike) -> Array:
        """Numbers of the images of factors (num, num_factors): (num,).

        Raises:
            ValueError: If a factor is out of its range.
        """
        factors = np.asarray(factors)
        if factors.ndim != 2 or factors.shape[1] != self.num_factors:
            raise ValueError(
                f"`factors` must have shape (num, {self.num_factors}). "
                f"Received: factors of shape {factors.shape}"
            )
        if np.any(factors < 0) or np.any(factors >= self.factor_sizes):
            raise ValueError(
                f"`factors` must be below {self.factor_sizes}, and not "
                f"negative. Received: up to {factors.max(axis=0).tolist()}, "
                f"from {factors.min(axis=0).tolist()}"
            )
        return np.ravel_multi_index(factors.T, self.factor_sizes)

    def factors_of(self, index: ArrayLike) -> Array:
        """Factors of images by number (num,): (num, num_factors)."""
        return np.stack(
            np.unravel_index(np.asarray(index), self.factor_sizes), axis=1
        )

    def at(self, index: ArrayLike) -> Array:
        """Images by number: float32 (num, *event_shape) of 0 and 1."""
        bits = self._bits[np.asarray(index)]
        size = math.prod(self.event_shape)
        pixels = np.unpackbits(bits, axis=1, count=size)
        return pixels.reshape(-1, *self.event_shape).astype("float32")

    def images(self, factors: ArrayLike) -> Array:
        """Images of factors (num, num_factors): float32 of 0 and 1."""
        return self.at(self.index(factors))

    def split(
        self, validation: float = 0.05, test: float = 0.05, seed: int = 0
    ) -> tuple[Array, Array, Array]:
        """Numbers of the images of random parts: (train, validation, test).

        Args:
            validation, test: Shares of the images, in [0, 1).
            seed: int.

        Returns:
            Tuple of three int64 arrays.

        Raises:
            ValueError: If the shares leave no image to train on.
        """
        shares = (validation, test)
        possible = all(0.0 <= share < 1.0 for share in shares)
        counts = [round(s * self.num_images) for s in shares if possible]
        if not possible or sum(counts) >= self.num_images:
            raise ValueError(
                "`validation` and `test` must be shares in [0, 1) that leave "
                "images to train on. "
                f"Received: validation={validation}, test={test}"
            )
        order = np.random.default_rng(seed).permutation(self.num_images)
        held, tested, rest = np.split(order, np.cumsum(counts))
        return rest, held, tested

    def as_tensor(self, index: TensorLike) -> tf.Tensor:
        """`at` for a TensorFlow graph: numbers (num,), a tensor."""
        if self._constant is None:
            with tf.init_scope(), tf.device("CPU:0"):
                self._constant = tf.constant(self._bits)
        bits = tf.gather(self._constant, index)
        shifts = tf.range(7, -1, -1, dtype="int32")
        pixels = tf.bitwise.right_shift(
            tf.cast(bits, "int32")[..., tf.newaxis], shifts
        )
        flat = tf.reshape(pixels & 1, [tf.shape(index)[0], -1])
        size = math.prod(self.event_shape)
        images = tf.reshape(flat[:, :size], [-1, *self.event_shape])
        return tf.cast(images, "float32")


def pack(images: ArrayLike) -> Array:
    """Bits of images of 0 and 1: uint8 (num, bytes)."""
    images = np.asarray(images)
    if images.ndim != 4 or np.any((images != 0) & (images != 1)):
        raise ValueError(
            "`images` must be (num, height, width, channels) of 0 and 1. "
            f"Received: images of shape {images.shape}"
        )
    flat = images.reshape(len(images), -1).astype("uint8")
    return np.packbits(flat, axis=1)
