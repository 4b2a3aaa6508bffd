import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.serving import Signature
from keras_vae.serving import export_model
from keras_vae.serving import warm_up
from keras_vae.serving.prediction_log import PredictionLog

SIGNATURES = [
    Signature("f", {"x": tf.TensorSpec((None, 2), "float32")}, {}),
    Signature(
        "g",
        {
            "num": tf.TensorSpec((), "int32"),
            "seed": tf.TensorSpec((2,), "int32"),
            "codes": tf.TensorSpec((None, None, 3), "int32"),
        },
        {},
    ),
]


def field(number, payload):
    """A length-delimited field, as the wire format has it."""
    return bytes([number << 3 | 2, len(payload)]) + payload


def test_bytes_are_those_of_a_prediction_log(tmp_path):
    """By the field numbers of TensorFlow Serving's .proto files."""
    warm_up.write_warm_up(tmp_path, SIGNATURES[:1])
    tensor = tf.make_tensor_proto(np.zeros((1, 2), "float32"))
    model_spec = field(3, b"f")
    entry = field(1, b"x") + field(2, tensor.SerializeToString())
    request = field(1, model_spec) + field(2, entry)
    (record,) = tf.data.TFRecordDataset(
        str(tmp_path / "assets.extra" / "tf_serving_warmup_requests"),
        buffer_size=1000,
    )
    assert record.numpy() == field(6, field(1, request))


def test_names_that_a_terminal_would_obey(tmp_path):
    hostile = Signature("f\x1b[2J", SIGNATURES[0].inputs, {})
    warm_up.write_warm_up(tmp_path, [hostile])
    with pytest.raises(ValueError, match="is damaged"):
        warm_up.read_warm_up(tmp_path)


def test_messages_of_tensorflow_serving_agree(tmp_path):
    api = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    warm_up.write_warm_up(tmp_path, SIGNATURES)
    file = tmp_path / warm_up.FILE
    for signature, record in zip(
        SIGNATURES,
        tf.data.TFRecordDataset(str(file), buffer_size=1000),
        strict=True,
    ):
        log = api.PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.signature_name == signature.name
        for name, value in signature.example().items():
            np.testing.assert_array_equal(
                tf.make_ndarray(request.inputs[name]), value
            )
        assert set(request.inputs) == set(signature.inputs)

    def same(ours, theirs):
        for mine in ours.fields:
            other = theirs.fields_by_name[mine.name]
            assert (mine.number, mine.type) == (other.number, other.type)
            if mine.message_type is not None:
                name = mine.message_type.full_name
                assert name == other.message_type.full_name
                if name.startswith("tensorflow.serving"):
                    same(mine.message_type, other.message_type)

    same(PredictionLog.DESCRIPTOR, api.PredictionLog.DESCRIPTOR)


def test_records_read_back(tmp_path):
    warm_up.write_warm_up(tmp_path, SIGNATURES)
    (f, x), (g, inputs) = warm_up.read_warm_up(tmp_path)
    assert (f, g) == ("f", "g")
    assert x["x"].dtype == "float32"
    np.testing.assert_array_equal(x["x"], [[0.0, 0.0]])
    assert {v.dtype.name for v in inputs.values()} == {"int32"}
    assert inputs["num"].shape == () and inputs["num"] == 1
    np.testing.assert_array_equal(inputs["seed"], [0, 0])
    np.testing.assert_array_equal(inputs["codes"], [[[0, 0, 0]]])


def test_record_without_a_name_is_of_the_default(tmp_path):
    warm_up.write_warm_up(tmp_path, [Signature("", {}, {})])
    assert warm_up.read_warm_up(tmp_path) == [("serving_default", {})]


def test_export_writes_a_record_for_each_signature(served):
    records = warm_up.read_warm_up(served.version)
    signatures = served.model.export_signatures()
    assert sorted(name for name, _ in records) == sorted(signatures)
    for name, inputs in records:
        specs = {spec.name: spec for spec in signatures[name][1]}
        assert set(inputs) == set(specs)
        for key, value in inputs.items():
            assert value.dtype == specs[key].dtype.as_numpy_dtype
            assert specs[key].shape.is_compatible_with(value.shape)


def test_records_are_there_before_the_version(tiny, tmp_path, monkeypatch):
    found = []

    def rename(source, target, rename=os.rename):
        if pathlib.Path(target).name == "1":
            found.append((pathlib.Path(source) / warm_up.FILE).stat().st_size)
        rename(source, target)

    monkeypatch.setattr(os, "rename", rename)
    version = export_model(tiny, tmp_path)
    assert found == [(version / warm_up.FILE).stat().st_size]
    assert found[0] > 0


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match="warm-up records.*Received: path="):
        warm_up.read_warm_up(tmp_path)


@pytest.mark.parametrize("damage", ["flip", "truncate", "other"])
def test_damaged_file(tmp_path, damage):
    warm_up.write_warm_up(tmp_path, SIGNATURES)
    file = tmp_path / warm_up.FILE
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    if damage == "flip":
        file.write_bytes(content)
    elif damage == "truncate":
        file.write_bytes(content[:-3])
    else:
        with tf.io.TFRecordWriter(str(file)) as writer:
            writer.write(b"not a message")
    with pytest.raises(ValueError, match="is damaged. Received: path="):
        warm_up.read_warm_up(tmp_path)
