"""A model that must not be shipped is refused, for the right reason."""

import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_vae import serving
from keras_vae.serving import warm_up
from keras_vae.serving.verify import verify_version


@pytest.fixture
def version(served_as, tmp_path):
    """A copy, to be damaged."""
    version = tmp_path / "model" / "1"
    shutil.copytree(served_as("autoencoder").version, version)
    return version


@pytest.fixture
def refused(version, c_runtime):
    """Checks that the copy is refused with a message."""

    def refused(message):
        with pytest.raises(ValueError, match=message) as info:
            verify_version(version, c_runtime)
        assert str(info.value).endswith(f"Received: path={str(version)!r}")
        return str(info.value)

    return refused


def rewrite(version, records):
    shutil.rmtree(version / "assets.extra")
    warm_up.write_warm_up(version, records)


def test_good_models(served, c_runtime):
    signatures = verify_version(served.version, c_runtime)
    assert signatures == serving.inspect(served.version)


def test_in_a_process_of_its_own(version):
    assert set(serving.verify(version.parent)) == {
        *("serving_default", "reconstruct", "encode", "decode")
    }


def test_nan_in_the_weights(tiny, tmp_path, c_runtime):
    tiny.dense.kernel.assign(np.full((2, 2), np.nan))
    version = serving.export_model(tiny, tmp_path)
    with pytest.raises(ValueError, match="serving_default: `y` is not finite"):
        verify_version(version, c_runtime)


@pytest.mark.parametrize("name", ["variables", "variables/variables.index"])
def test_half_a_copy(version, refused, name):
    path = version / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    refused("variables.index is missing: is this half of a copy")


def test_missing_values(version, refused):
    (data,) = version.glob("variables/variables.data*")
    data.unlink()
    refused("cannot be loaded.*variables")


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_damaged_values(version, refused, damage):
    (data,) = version.glob("variables/variables.data*")
    content = bytearray(data.read_bytes())
    content[10] ^= 64
    content = content[:50] if damage == "truncated" else content
    data.write_bytes(content)
    refused("cannot be loaded")


def test_damaged_graph(version, refused):
    file = version / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-1000])
    refused("saved_model.pb is damaged")


def test_damaged_records(version, refused):
    (version / warm_up.FILE).write_bytes(10 * b"nonsense")
    refused("tf_serving_warmup_requests is damaged")


def test_no_records(version, refused):
    shutil.rmtree(version / "assets.extra")
    refused("There must be warm-up records")


def test_all_problems_are_named(version, refused):
    signatures = serving.inspect(version)
    other = serving.Signature("other", signatures["encode"].inputs, {})
    wrong = {
        "decode": {"z": tf.TensorSpec((None, 3))},
        "reconstruct": {"x": tf.TensorSpec((None, 4, 4, 1), "int32")},
        "serving_default": {"y": tf.TensorSpec((None, 4, 4, 1))},
    }
    rewrite(
        version,
        [other, *(serving.Signature(k, v, {}) for k, v in wrong.items())],
    )
    message = refused("must not be shipped")
    for problem in [
        "encode: no warm-up record",
        "other: a warm-up record of a signature that does not exist",
        "decode: warm-up record: `z` is float32 [1, 3], not float32 [?, 2]",
        "reconstruct: warm-up record: `x` is int32 [1, 4, 4, 1], not float32",
        "serving_default: warm-up record: it has ['y'], not ['x']",
    ]:
        assert f"\n  {problem}" in message


def test_more_records_than_the_server_takes(version, refused, monkeypatch):
    module = sys.modules[verify_version.__module__]
    monkeypatch.setattr(module, "MAX_RECORDS", 4)
    signatures = [*serving.inspect(version).values()]
    rewrite(version, [*signatures, signatures[0]])
    refused("5 warm-up records: the server takes 4")


def test_output_that_is_not_as_promised(version, refused):
    file = version / "saved_model.pb"
    parsed = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    promised = parsed.meta_graphs[0].signature_def["encode"].outputs["z"]
    promised.tensor_shape.dim[1].size = 7
    file.write_bytes(parsed.SerializeToString())
    refused(r"encode: `z` is float32 \[1, 2\], not float32 \[\?, 7\]")


def test_text_is_no_number(tmp_path, tiny, c_runtime):
    """As an output, promised or not."""
    specs = [tf.TensorSpec((None, 2), name="x")]
    tiny.export_signatures = lambda: {
        "serving_default": (lambda x: {"y": tf.strings.as_string(x)}, specs)
    }
    version = serving.export_model(tiny, tmp_path)
    message = "serving_default: output `y` must be made of numbers, and is str"
    with pytest.raises(ValueError, match=message):
        verify_version(version, c_runtime)
    file = version / "saved_model.pb"
    parsed = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    signature = parsed.meta_graphs[0].signature_def["serving_default"]
    signature.outputs["y"].dtype = tf.float32.as_datatype_enum
    file.write_bytes(parsed.SerializeToString())
    with pytest.raises(ValueError, match=message):
        verify_version(version, c_runtime)


def test_error_when_it_runs(tmp_path, tiny, c_runtime):
    """Loaded without complaint, and still not fit to serve."""
    specs = [tf.TensorSpec((None, 2), name="x")]

    def failing(x):
        with tf.control_dependencies([tf.debugging.assert_positive(x)]):
            return {"y": tf.identity(x)}

    tiny.export_signatures = lambda: {"serving_default": (failing, specs)}
    version = serving.export_model(tiny, tmp_path)
    with pytest.raises(ValueError, match="serving_default: .*[Aa]ssert"):
        verify_version(version, c_runtime)
