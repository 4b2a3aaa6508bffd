"""What a `PixelSNAIL` is given: codes or images, label, condition."""

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_vae.typing import Scalar
from keras_vae.typing import TensorLike


class Input(NamedTuple):
    """One input of a model.

    Args:
        name: str.
        shape: tuple, of one example.
        num_values: int, it holds integers below; None for images.
    """

    name: str
    shape: tuple[int, ...]
    num_values: int | None

    @property
    def dtype(self) -> str:
        return "float32" if self.num_values is None else "int32"

    def spec(self) -> tf.TensorSpec:
        """The `tf.TensorSpec` of a batch."""
        return tf.TensorSpec((None, *self.shape), self.dtype, name=self.name)

    def check_static(self, value: TensorLike) -> None:
        """Raises a ValueError if shape or dtype do not fit."""
        expected = tf.TensorShape([None, *self.shape])
        if not expected.is_compatible_with(value.shape):
            raise ValueError(
                f"`{self.name}` must have shape {tuple(expected)}. "
                f"Received: {self.name} of shape {tuple(value.shape)}"
            )
        dtype = tf.as_dtype(value.dtype)
        if self.num_values is None and not dtype.is_floating:
            raise ValueError(
                f"`{self.name}` must hold floats (divide 8-bit images by "
                f"255). Received: {self.name} of dtype {dtype.name}"
            )
        if self.num_values is not None and not dtype.is_integer:
            raise ValueError(
                f"`{self.name}` must hold integers. "
                f"Received: {self.name} of dtype {dtype.name}"
            )

    def check(self, value: TensorLike) -> None:
        """As `check_static`, and the range of integers, if it is known."""
        self.check_static(value)
        if self.num_values is None or not is_concrete(value):
            return
        value = np.asarray(value)
        if value.size and not 0 <= value.min() <= value.max() < self.num_values:
            raise ValueError(
                f"`{self.name}` must hold integers from 0 to "
                f"{self.num_values - 1}. Received: {self.name} between "
                f"{value.min()} and {value.max()}"
            )


def by_name(inputs: Sequence[Input], x: Any) -> dict[str, Any]:
    """The inputs in x, an array (if there is one) or a dict, by name.

    Args:
        inputs: list of `Input`.
        x: what a model was given.

    Raises:
        ValueError: if one is missing or unknown.
    """
    names = [item.name for item in inputs]
    if not isinstance(x, dict):
        if len(names) > 1:
            raise ValueError(
                f"`x` must be a dict of {names}, as the model depends on all "
                f"of them. Received: x of type {type(x).__name__}"
            )
        x = {names[0]: x}
    if set(x) != set(names):
        raise ValueError(
            f"`x` must be a dict of {names}. Received: x with {list(x)}"
        )
    return x


def repeated(item: Input, value: Any, num: Scalar) -> tf.Tensor:
    """`value` for each of `num` samples: int32 tensor (num, *shape).

    Args:
        item: `Input`.
        value: integers of shape (*item.shape), the same for all samples, or
            (num, *item.shape), or None.
        num: int or scalar tensor.

    Raises:
        ValueError: if it is None, or not of such a shape or range.
    """
    if value is None:
        raise ValueError(
            f"The model depends on `{item.name}`, which `sample` needs. "
            f"Received: {item.name}=None"
        )
    value = tf.convert_to_tensor(value)
    if value.shape.rank == len(item.shape):
        value = value[tf.newaxis]
    item.check(value)
    rows = value.shape[0]
    if isinstance(num, int) and rows not in (None, 1, num):
        raise ValueError(
            f"`{item.name}` must be one for all or one for each sample. "
            f"Received: {item.name} of shape {tuple(value.shape)}, num={num}"
        )
    value = tf.cast(value, "int32")
    return tf.broadcast_to(value, [num, *item.shape])


def is_concrete(value: Any) -> bool:
    """Whether the numbers of an array or tensor are known."""
    return isinstance(value, np.ndarray) or hasattr(value, "numpy")
