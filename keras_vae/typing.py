"""Names for the types that the annotations use.

TensorFlow, Keras and TensorFlow Probability have no types of their own: to a
type checker theirs are `Any`, to a reader they say what is meant.
"""

import os
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeAlias

import keras
import tensorflow as tf
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Figure
else:
    # matplotlib is imported where something is drawn, not before.
    Figure = "matplotlib.figure.Figure"

#: NumPy array of any shape; docstrings say which, and of which dtype.
Array: TypeAlias = NDArray[Any]

#: Tensor or array; docstrings say of which shape and dtype.
TensorLike: TypeAlias = tf.Tensor | Array

#: Number, or tensor of shape ().
Scalar: TypeAlias = int | float | tf.Tensor

#: Shape: ints, and None for an axis of unknown size, such as the batch.
Shape: TypeAlias = tuple[Any, ...]

#: What `keras_vae.random.as_seed` takes: None draws one.
Seed: TypeAlias = int | Sequence[int] | Array | tf.Tensor | None

#: Name of a file or folder.
PathLike: TypeAlias = str | os.PathLike[str]

#: Encoder, decoder or another network: a model, or a single layer.
Network: TypeAlias = keras.Model | keras.layers.Layer

#: What Keras makes a function of: its name, a callable, None for linear.
Activation: TypeAlias = str | Callable[..., Any] | None

#: What Keras makes an initializer of: its name, its config, itself.
Initializer: TypeAlias = str | dict[str, Any] | keras.initializers.Initializer

#: Weight of a term: fixed, or a function of the training step.
Weight: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule

#: Array of examples, or batches of them.
Batches: TypeAlias = Array | tf.Tensor | tf.data.Dataset

#: Function and the inputs of a signature, see `keras_vae.export_model`.
ExportSignature: TypeAlias = tuple[
    Callable[..., dict[str, tf.Tensor]], list[tf.TensorSpec]
]
