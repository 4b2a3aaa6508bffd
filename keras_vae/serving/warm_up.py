"""Requests that a model server runs when it loads a model.

The first request of a signature is slow: TensorFlow prepares its graph then.
TensorFlow Serving runs the requests of this file before it takes others.
"""

import math
import pathlib
from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2

from keras_vae.serving.prediction_log import PredictionLog
from keras_vae.serving.signature import LARGEST_EXAMPLE
from keras_vae.serving.signature import Signature
from keras_vae.serving.signature import check_name
from keras_vae.typing import Array

FILE = "assets.extra/tf_serving_warmup_requests"

#: With more the server refuses the model.
MAX_RECORDS = 1000


def write_warm_up(
    version: pathlib.Path, signatures: Iterable[Signature]
) -> None:
    """Writes one record for each signature.

    Args:
        version: `pathlib.Path`, folder of a version.
        signatures: iterable of `Signature`.
    """
    file = version / FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature in signatures:
            record = PredictionLog()
            request = record.predict_log.request
            request.model_spec.signature_name = signature.name
            for name, value in signature.example().items():
                # Of another pool, so another class.
                tensor = tf.make_tensor_proto(value)
                request.inputs[name].ParseFromString(tensor.SerializeToString())
            writer.write(record.SerializeToString())


def read_warm_up(version: pathlib.Path) -> list[tuple[str, dict[str, Array]]]:
    """The records of a version.

    Args:
        version: `pathlib.Path`, folder of a version.

    Returns:
        list of (signature name, dict of input name to NumPy array).

    Raises:
        ValueError: if the file is missing or damaged.
    """
    file = version / FILE
    if not file.is_file():
        raise ValueError(
            f"There must be warm-up records, {FILE}. "
            f"Received: path={str(version)!r}"
        )
    try:
        return [
            _read(record.numpy())
            # With the size TensorFlow does not remark on its default.
            for record in tf.data.TFRecordDataset(str(file), buffer_size=2**18)
        ]
    except (tf.errors.OpError, DecodeError, ValueError, TypeError) as error:
        raise ValueError(
            f"{FILE} is damaged. Received: path={str(version)!r}"
        ) from error


def _array(tensor):
    # One number may stand for many: a few bytes for any amount of memory.
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    size = math.prod(sizes) * tf.as_dtype(tensor.dtype).size
    if min(sizes, default=0) < 0 or size > LARGEST_EXAMPLE:
        raise ValueError(f"an array of shape {sizes}")
    return np.asarray(tf.make_ndarray(tensor))


def _read(record):
    request = PredictionLog.FromString(record).predict_log.request
    inputs = {
        name: _array(
            tensor_pb2.TensorProto.FromString(tensor.SerializeToString())
        )
        for name, tensor in request.inputs.items()
    }
    for text in (request.model_spec.signature_name, *inputs):
        check_name(text)
    # As the server does.
    return request.model_spec.signature_name or "serving_default", inputs
