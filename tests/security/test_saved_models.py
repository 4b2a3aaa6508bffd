"""Damaged and hostile SavedModels, and folders of them."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import keras_vae
from keras_vae import serving
from keras_vae.serving import __main__ as command_line
from keras_vae.serving import warm_up
from tests.security.damage import damaged
from tests.security.damage import read_or_refused


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = keras_vae.GaussianMixture(2, 3, seed=0)
    model.build((None, 3))
    return serving.export_model(model, tmp_path_factory.mktemp("exported"))


@pytest.fixture
def version(exported, tmp_path):
    """A copy, to be damaged."""
    version = tmp_path / "model" / "1"
    shutil.copytree(exported, version)
    return version


def inspected(version):
    """What the command prints is part of the test: examples are made."""
    command_line._inspect(version, None)
    return serving.inspect(version)


def test_a_damaged_graph(version, capsys):
    file = version / "saved_model.pb"
    for label, copy in damaged(file.read_bytes(), flips=150):
        file.write_bytes(copy)
        read_or_refused(lambda: inspected(version), str(version), label)


def test_damaged_records(version):
    file = version / warm_up.FILE
    expected = warm_up.read_warm_up(version)
    for label, copy in damaged(file.read_bytes(), flips=40):
        file.write_bytes(copy)
        records = read_or_refused(
            lambda: warm_up.read_warm_up(version), str(version), label
        )
        # Whole records before a cut are whole.
        for one, other in zip(records or [], expected):
            assert one[0] == other[0], label


def change_signature(version, change):
    file = version / "saved_model.pb"
    parsed = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(parsed.meta_graphs[0].signature_def["log_prob"].inputs["x"])
    file.write_bytes(parsed.SerializeToString())


def set_shape(*sizes):
    def change(info):
        del info.tensor_shape.dim[:]
        for size in sizes:
            info.tensor_shape.dim.add().size = size

    return change


def set_unknown(info):
    info.tensor_shape.unknown_rank = True


def set_type(number):
    def change(info):
        info.dtype = number

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_shape(10**12),
        set_shape(*[10**5] * 8),
        set_shape(-7),
        set_unknown,
        set_type(0),
        set_type(7),
        set_type(20),
        set_type(21),
        set_type(9999),
    ],
)
def test_a_hostile_signature_asks_for_no_memory(version, change, capsys):
    change_signature(version, change)
    with pytest.raises(SystemExit):
        command_line.main(["inspect", str(version)])
    assert "error: " in capsys.readouterr().err
    with pytest.raises(ValueError, match="(log_prob|damaged).*model/1'"):
        inspected(version)


@pytest.mark.parametrize("sizes", [(10**6, 10**6), (-1, 3), (2**40, 2**40)])
def test_a_hostile_record_asks_for_no_memory(version, sizes):
    record = warm_up.PredictionLog()
    request = record.predict_log.request
    request.model_spec.signature_name = "log_prob"
    tensor = tf.make_tensor_proto(np.float32(1.0))
    set_shape(*sizes)(tensor)
    request.inputs["x"].ParseFromString(tensor.SerializeToString())
    with tf.io.TFRecordWriter(str(version / warm_up.FILE)) as writer:
        writer.write(record.SerializeToString())
    with pytest.raises(ValueError, match="warmup_requests is damaged"):
        warm_up.read_warm_up(version)


def test_a_name_of_the_graph_that_leads_nowhere(version):
    def change(info):
        info.name = "../../etc/passwd:99999999999"

    change_signature(version, change)
    with pytest.raises(ValueError, match="log_prob"):
        serving.verify(version)


# === Folders ===


def test_paths_that_name_no_folder():
    for path in ("", "a\0b"):
        for function in (serving.inspect, serving.verify):
            with pytest.raises(ValueError, match="path="):
                function(path)
        with pytest.raises(ValueError, match="paths="):
            serving.models_config([path])


def test_export_to_a_path_that_names_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = keras_vae.GaussianMixture(2, 3, seed=0)
    model.build((None, 3))
    for path in ("", "a\0b"):
        with pytest.raises(ValueError, match="path="):
            serving.export_model(model, path)
    with pytest.raises(OSError, match="x{300}"):
        serving.export_model(model, tmp_path / ("x" * 300))
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        serving.export_model(model, tmp_path / "file" / ".." / "file" / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ['a"b', "a\nb", "-x", "é", ".x", "a b"])
def test_hostile_folders_of_models(tmp_path, name):
    (tmp_path / name / "1").mkdir(parents=True)
    with pytest.raises(ValueError, match="name of a model"):
        serving.models_config([tmp_path / name])


@pytest.mark.parametrize(
    "name", ["1\n", "١", "-1", "+1", "1e3", " 1", "9" * 19]
)
def test_folders_that_are_no_versions(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match="or versions"):
        serving.inspect(tmp_path)
