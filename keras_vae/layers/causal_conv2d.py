from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.arguments import positive_ints
from keras_vae.layers.cache import write
from keras_vae.typing import Array
from keras_vae.typing import Initializer
from keras_vae.typing import Scalar
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike

_ANCHORS = ("corner", "center")


@keras.saving.register_keras_serializable(package="keras_vae")
class CausalConv2D(keras.layers.Layer):
    """Convolution that sees only what comes before, in raster order.

    y_ij = bias + sum_{(r, c) in taps} kernel_rc x_{i+r, j+c}

    The taps are those of a kernel whose last row holds the current position,
    in its right corner or in its centre, up to that position. They are made
    of ordinary convolutions of padded and shifted inputs, one where the kernel
    is a whole rectangle (anchor "corner" with the current position), else one
    for the rows above and one for the current row. No kernel is masked.

    `init_cache`, `write` and `read` compute one position at a time, from a
    cache of the last rows, as a sampler needs it.

    Args:
        filters: int, channels of the output.
        kernel_size: int, or pair of ints: rows and columns.
        anchor: "corner" or "center" (columns must be odd): where the current
            position is in the last row of the kernel. A corner costs least
            and sees nothing to the upper right.
        include_current: bool, whether y_ij may depend on x_ij: False in the
            first layer of a model, whose later layers may see their inputs.
        kernel_initializer: of all kernels.

    Call arguments:
        x: float tensor (batch, height, width, channels).

    Input shape:
        (batch, height, width, channels)

    Output shape:
        (batch, height, width, filters)

    Raises:
        ValueError: if a size is not positive, `anchor` is unknown, or the
            kernel holds nothing but the current position, which is excluded.

    Example:
    >>> layer = keras_vae.layers.CausalConv2D(
    ...     1, (2, 3), "center", include_current=False,
    ...     kernel_initializer="ones",
    ... )
    >>> print(layer(np.ones((1, 2, 3, 1)))[0, :, :, 0].numpy())
    [[0. 1. 1.]
     [2. 4. 3.]]

    Reference:
        Chen, Mishra, Rohaninejad, Abbeel, 2018; van den Oord, Kalchbrenner,
        Vinyals, Espeholt, Graves, Kavukcuoglu, 2016, section 2.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int] = 2,
        anchor: str = "corner",
        include_current: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = positive_int("filters", filters)
        if isinstance(kernel_size, int):
            kernel_size = (kernel_size, kernel_size)
        self.kernel_size = positive_ints("kernel_size", kernel_size, length=2)
        self.anchor = anchor
        self.include_current = include_current
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self._windows = self._make_windows()
        self._convolutions = [
            keras.layers.Conv2D(
                self.filters,
                (
                    window.bottom - window.top + 1,
                    window.right - window.left + 1,
                ),
                use_bias=number == 0,
                # Other numbers for every kernel.
                kernel_initializer=self.kernel_initializer.clone(),
                dtype=self.dtype_policy,
                name=f"window_{number}",
            )
            for number, window in enumerate(self._windows)
        ]

    def _make_windows(self):
        """Rectangles of offsets from the current position."""
        rows, columns = self.kernel_size
        if self.anchor not in _ANCHORS:
            raise ValueError(
                f"`anchor` must be one of {list(_ANCHORS)}. "
                f"Received: anchor={self.anchor!r}"
            )
        if self.anchor == "corner":
            left, right = 1 - columns, 0
        elif columns % 2:
            left, right = -(columns // 2), columns // 2
        else:
            raise ValueError(
                "A kernel anchored in its centre has an odd number of "
                f"columns. Received: kernel_size={self.kernel_size}"
            )
        last = 0 if self.include_current else -1
        if self.include_current and right == 0:
            return [Window(1 - rows, 0, left, 0)]
        windows = []
        if rows > 1:
            windows.append(Window(1 - rows, -1, left, right))
        if left <= last:
            windows.append(Window(0, 0, left, last))
        if not windows:
            raise ValueError(
                "Without the current position the kernel must have others. "
                f"Received: kernel_size={self.kernel_size}, "
                f"include_current={self.include_current}"
            )
        return windows

    def build(self, input_shape: Shape) -> None:
        self._size = tuple(input_shape)[1:3]
        self._channels = input_shape[-1]
        for convolution in self._convolutions:
            convolution.build((None, None, None, self._channels))

    def call(self, x: TensorLike) -> tf.Tensor:
        return sum(
            convolution(window.shift(x))
            for window, convolution in zip(self._windows, self._convolutions)
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.filters)

    # === One position at a time ===

    def init_cache(self, batch_size: Scalar) -> tf.Tensor:
        """An empty cache: the last rows of the input, padded.

        Args:
            batch_size: int or scalar tensor.
        """
        rows, columns = self.kernel_size
        slots = rows * (self._size[1] + columns - 1)
        return tf.zeros([slots, batch_size, self._channels], self.compute_dtype)

    def write(
        self, cache: tf.Tensor, x: TensorLike, index: Scalar
    ) -> tf.Tensor:
        """The cache with x at a position.

        Args:
            cache: tensor, as `init_cache` gives it.
            x: tensor (batch, channels).
            index: scalar int32 tensor, position in raster order.
        """
        slot = self._slots(index, 0, 0)
        return write(cache, x[tf.newaxis], slot)

    def read(self, cache: tf.Tensor, index: Scalar) -> tf.Tensor:
        """The output at a position: tensor (batch, filters).

        Args:
            cache: tensor that holds what comes before `index`, and x there
                where `include_current` is set.
            index: scalar int32 tensor.
        """
        outputs = 0.0
        for window, convolution in zip(self._windows, self._convolutions):
            rows, columns = window.offsets()
            taps = tf.gather(cache, self._slots(index, rows, columns))
            taps = tf.transpose(taps, [1, 0, 2])
            taps = tf.reshape(taps, [-1, len(rows) * self._channels])
            kernel = tf.cast(convolution.kernel, cache.dtype)
            kernel = tf.reshape(kernel, [-1, self.filters])
            outputs += tf.matmul(taps, kernel)
        bias = self._convolutions[0].bias
        return outputs + tf.cast(bias, cache.dtype)

    def _slots(self, index, rows, columns):
        """Where the cache holds what lies at offsets from a position.

        Its rows take turns; the columns at its ends are never written, and
        rows above the first have not been.
        """
        index = tf.convert_to_tensor(index)
        width = self._size[1]
        left = -min(window.left for window in self._windows)
        row = tf.math.floormod(index // width + rows, self.kernel_size[0])
        padded = width + self.kernel_size[1] - 1
        return row * padded + index % width + left + columns

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "anchor": self.anchor,
            "include_current": self.include_current,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }


class Window(NamedTuple):
    """A rectangle of offsets from a position, ends included."""

    top: int
    bottom: int
    left: int
    right: int

    def shift(self, x: tf.Tensor) -> tf.Tensor:
        """x padded and cropped: a "valid" convolution sees the window."""
        rows, columns = (min(n, 0) or None for n in (self.bottom, self.right))
        padding = [
            [0, 0],
            [-self.top, max(self.bottom, 0)],
            [-self.left, max(self.right, 0)],
            [0, 0],
        ]
        return keras.ops.pad(x[:, :rows, :columns], padding)

    def offsets(self) -> tuple[Array, Array]:
        """Rows and columns of all its places, in the order of a kernel."""
        places = [
            (row, column)
            for row in range(self.top, self.bottom + 1)
            for column in range(self.left, self.right + 1)
        ]
        rows, columns = zip(*places)
        return np.array(rows, "int32"), np.array(columns, "int32")
