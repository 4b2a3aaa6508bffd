"""The signatures of an exported model."""

import pathlib

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from keras_vae.serving.signature import Signature
from keras_vae.serving.signature import check_name
from keras_vae.serving.versions import find_version
from keras_vae.typing import PathLike


def inspect(path: PathLike) -> dict[str, Signature]:
    """Signatures of an exported model, without loading it.

    Args:
        path: folder of a version, or of a model: then its newest version.

    Returns:
        dict of name to `Signature`, sorted by name.

    Raises:
        OSError: if `path` does not exist, is a file, or cannot be read.
        ValueError: if there is no SavedModel, or a damaged one, or one
            without signatures.

    Example:

    >>> import tempfile
    >>> model = keras_vae.GaussianMixture(2, 3)
    >>> model.build((None, 3))
    >>> folder = tempfile.TemporaryDirectory()
    >>> version = keras_vae.export_model(model, folder.name)
    >>> signatures = keras_vae.serving.inspect(folder.name)
    >>> list(signatures)
    ['log_prob', 'serving_default']
    >>> signatures["log_prob"].inputs["x"].shape
    TensorShape([None, 3])
    >>> signatures["serving_default"].request()
    '{"signature_name": "serving_default", "inputs": {"num": 1, "seed": [0, 0]}}'
    >>> folder.cleanup()
    """  # noqa: E501
    return read_signatures(find_version(path))


def read_signatures(version: pathlib.Path) -> dict[str, Signature]:
    """As `inspect`, of the folder of a version."""
    file = version / "saved_model.pb"
    try:
        parsed = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    except DecodeError as error:
        raise ValueError(
            f"saved_model.pb is damaged. Received: path={str(version)!r}"
        ) from error
    # As the server and the C runtime choose.
    graphs = [g for g in parsed.meta_graphs if "serve" in g.meta_info_def.tags]
    try:
        signatures = _signatures(graphs[0]) if graphs else {}
    # A type that does not exist, or a size below zero.
    except (ValueError, TypeError) as error:
        raise ValueError(
            "saved_model.pb is damaged, in its signatures: "
            f"{error}. Received: path={str(version)!r}"
        ) from error
    if not signatures:
        raise ValueError(
            "saved_model.pb must have signatures under the tag 'serve'. "
            f"Received: path={str(version)!r}"
        )
    return signatures


def _signatures(graph):
    for name, found in graph.signature_def.items():
        for text in (name, *found.inputs, *found.outputs):
            check_name(text)
    return {
        name: Signature(name, _specs(found.inputs), _specs(found.outputs))
        for name, found in sorted(graph.signature_def.items())
        # TensorFlow keeps an operation there, which takes nothing.
        if not name.startswith("__")
    }


def _specs(tensors):
    return {name: _spec(info) for name, info in sorted(tensors.items())}


def _spec(info):
    shape = tf.TensorShape(info.tensor_shape)
    if shape.rank is not None and min(filter(None, shape), default=0) < 0:
        raise ValueError(f"a tensor of shape {shape}")
    return tf.TensorSpec(shape, info.dtype, info.name)
