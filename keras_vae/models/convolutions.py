"""What a model must know of the convolutions among its layers."""

import functools
from typing import Any

import keras
import tensorflow as tf

from keras_vae.typing import TensorLike

_LAYERS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


def convolutions_of(model: keras.Model) -> list[keras.layers.Layer]:
    """Return all convolutions among the layers of a model, nested ones too."""
    return [
        layer for layer in model._flatten_layers() if isinstance(layer, _LAYERS)
    ]


def accept_no_examples(model: keras.Model) -> None:
    """Makes the convolutions of a model right where a batch is empty.

    oneDNN, which TensorFlow uses on processors with AVX512, gives them the
    shape of their input there, and a replica without examples fails.
    """
    for layer in convolutions_of(model):
        if not hasattr(layer.call, "accepts_no_examples"):
            layer.call = _with_an_example(layer.call)


def _with_an_example(call):
    @functools.wraps(call)
    def padded_call(x: TensorLike, *args: Any, **kwargs: Any) -> tf.Tensor:
        num_examples = tf.shape(x)[0]
        spare = tf.maximum(1 - num_examples, 0)
        padding = [[0, spare], *[[0, 0]] * (len(x.shape) - 1)]
        return call(tf.pad(x, padding), *args, **kwargs)[:num_examples]

    padded_call.accepts_no_examples = True
    return padded_call
