import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_vae import serving
from keras_vae.serving import Signature


def test_signatures_are_those_of_the_model(served):
    signatures = serving.inspect(served.version)
    exported = served.model.export_signatures()
    assert list(signatures) == sorted(exported)
    for name, (_, specs) in exported.items():
        assert signatures[name].name == name
        assert {
            k: (v.shape, v.dtype) for k, v in signatures[name].inputs.items()
        } == {spec.name: (spec.shape, spec.dtype) for spec in specs}
        loaded = served.loaded.signatures[name].structured_outputs
        assert set(signatures[name].outputs) == set(loaded)
        for key, spec in signatures[name].outputs.items():
            assert spec.dtype == loaded[key].dtype
            assert spec.shape.as_list() == loaded[key].shape.as_list()


def test_obstacles_to_batching(served_as):
    signatures = serving.inspect(served_as("bernoulli").version)
    obstacles = {k: v.batching_obstacle for k, v in signatures.items()}
    assert obstacles == {
        **dict.fromkeys(["serving_default", "reconstruct", "encode", "decode"]),
        "sample": "input `num` is a scalar",
        "log_prob": "input `num_samples` is a scalar",
    }


@pytest.mark.parametrize(
    ("inputs", "outputs", "obstacle"),
    [
        ([(None, 2)], [(None,)], None),
        ([(None, 2), (2,)], [(None,)], "input `1` has no batch axis"),
        ([(None, 2)], [()], "output `0` is a scalar"),
        ([(None, 2)], [(5, 2)], "output `0` has no batch axis"),
        ([None], [(None,)], "input `0` is of unknown rank"),
    ],
)
def test_obstacle_of_shapes(inputs, outputs, obstacle):
    def specs(shapes):
        return {str(i): tf.TensorSpec(s) for i, s in enumerate(shapes)}

    signature = Signature("f", specs(inputs), specs(outputs))
    assert signature.batching_obstacle == obstacle


def test_example_is_accepted(served):
    for name, signature in serving.inspect(served.version).items():
        outputs = served.loaded.signatures[name](**signature.example())
        assert all(np.all(np.isfinite(v)) for v in outputs.values())


def test_newest_version_of_a_model(served_as, tmp_path):
    version = served_as("bernoulli").version
    (tmp_path / "9").mkdir()
    (tmp_path / "10").symlink_to(version)
    (tmp_path / "latest").mkdir()
    assert serving.inspect(tmp_path) == serving.inspect(version)
    (tmp_path / "0011").symlink_to(served_as("autoencoder").version)
    assert "sample" not in serving.inspect(tmp_path)


def test_folder_without_a_model(tmp_path):
    with pytest.raises(ValueError, match="must hold a saved_model.pb.*path="):
        serving.inspect(tmp_path)
    with pytest.raises(FileNotFoundError, match="missing"):
        serving.inspect(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file"):
        serving.inspect(tmp_path / "file")
    (tmp_path / "3").touch()
    with pytest.raises(ValueError, match="Version 3 must be a folder"):
        serving.inspect(tmp_path)


def test_half_a_copy_is_no_version(tmp_path):
    (tmp_path / "1" / "variables").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="saved_model.pb"):
        serving.inspect(tmp_path)


def test_damaged_graph(served_as, tmp_path):
    content = (served_as("bernoulli").version / "saved_model.pb").read_bytes()
    file = tmp_path / "saved_model.pb"
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="saved_model.pb is damaged.*path="):
        serving.inspect(tmp_path)
    file.write_bytes(b"")
    with pytest.raises(ValueError, match="must have signatures.*path="):
        serving.inspect(tmp_path)
    hostile = saved_model_pb2.SavedModel.FromString(content)
    signatures = hostile.meta_graphs[0].signature_def
    signatures["\x1b[2Jx"].CopyFrom(signatures["encode"])
    file.write_bytes(hostile.SerializeToString())
    with pytest.raises(ValueError, match=r"be printed: '\\x1b\[2Jx'.*path="):
        serving.inspect(tmp_path)
    training = saved_model_pb2.SavedModel.FromString(content)
    training.meta_graphs[0].meta_info_def.tags[:] = ["train"]
    file.write_bytes(training.SerializeToString())
    with pytest.raises(ValueError, match="under the tag 'serve'"):
        serving.inspect(tmp_path)
