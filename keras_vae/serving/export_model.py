"""Export of a model as a versioned SavedModel."""

import pathlib

import keras
import tensorflow as tf

from keras_vae.serving.inspect_version import read_signatures
from keras_vae.serving.publish_version import publish_version
from keras_vae.serving.warm_up import write_warm_up
from keras_vae.typing import PathLike


def export_model(model: keras.Model, path: PathLike) -> pathlib.Path:
    """Exports a model as the next version of a SavedModel.

    Every entry of `model.export_signatures()` becomes a signature with named
    inputs and outputs, in float32 whatever the model's dtype policy. The
    SavedModel needs TensorFlow alone: it loads in TensorFlow Serving, in
    TensorFlow's C runtime and by `tf.saved_model.load`, without this library.
    It brings one warm-up record for each signature, which TensorFlow Serving
    runs before it serves the version, and `verify` before it is shipped.

    The version appears at once: a server that polls `path` never sees a part
    of it, a failed export leaves none, and two exports at the same time get
    two versions.

    Args:
        model: a built model of this library.
        path: folder of the model, in which every version is a folder named
            by its number. Created where missing.

    Returns:
        The `pathlib.Path` of the version, `path/1` for the first.

    Raises:
        ValueError: if `model` has no signatures or is not built, or `path` is
            empty.
        OSError: (a subclass such as `PermissionError`) if `path` is not a
            folder that can be written; known before anything is traced.

    Example:

    >>> import tempfile
    >>> encoder = keras_vae.networks.mlp_encoder((8, 8, 1), units=(32,))
    >>> decoder = keras_vae.networks.mlp_decoder(4, (8, 8, 1), units=(32,))
    >>> model = keras_vae.VAE(encoder, decoder, latent_dim=4)
    >>> model.build((None, 8, 8, 1))
    >>> folder = tempfile.TemporaryDirectory()
    >>> version = keras_vae.export_model(model, folder.name)
    >>> version.name
    '1'
    >>> served = tf.saved_model.load(version)
    >>> served.signatures["encode"](x=tf.zeros((3, 8, 8, 1)))["z"].shape
    TensorShape([3, 4])
    >>> folder.cleanup()
    """
    if not hasattr(model, "export_signatures"):
        raise ValueError(
            "`model` must have a method `export_signatures`, as the models "
            f"of this library have. Received: model={model}"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built before it is exported: fit it or call it "
            f"on a batch first. Received: model={model}"
        )

    def write(folder):
        archive = keras.export.ExportArchive()
        archive.track(model)
        for name, (function, specs) in model.export_signatures().items():
            # Traced here, as the archive traces without AutoGraph.
            endpoint = tf.function(_in_float32(function), specs)
            endpoint.get_concrete_function()
            archive.add_endpoint(name, endpoint)
        archive.write_out(str(folder), verbose=False)
        write_warm_up(folder, read_signatures(folder).values())

    return publish_version(path, write)


def _in_float32(function):
    def cast(value):
        return tf.cast(value, "float32") if value.dtype.is_floating else value

    def endpoint(*tensors):
        return tf.nest.map_structure(cast, function(*tensors))

    return endpoint
