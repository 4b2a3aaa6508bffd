import subprocess

import numpy as np
import pytest

from keras_vae import serving
from keras_vae.serving.c_runtime import CRuntime


def calls(served):
    """(key, inputs) of each call of a `Served`; keys are "<n>/<signature>"."""
    found = {}
    for key, value in served.inputs.items():
        call, _, name = key.rpartition("/")
        found.setdefault(call, {})[name] = np.asarray(value)
    return found.items()


def test_every_signature_gives_the_true_outputs(served, c_runtime):
    signatures = serving.inspect(served.version)
    named = [(k, signatures[k.partition("/")[2]], v) for k, v in calls(served)]
    assert {s.name for _, s, _ in named} == set(
        served.model.export_signatures()
    )
    results = c_runtime.run(served.version, [call for _, *call in named])
    checked = 0
    for (key, *_), outputs in zip(named, results, strict=True):
        for name, value in outputs.items():
            expected = served.outputs[f"{key}/{name}"]
            assert value.dtype == "float32"
            assert value.shape == expected.shape
            served.assert_close(value, expected, key)
            checked += 1
    assert checked == len(served.outputs)


def test_batches_without_rows(served_as, c_runtime):
    version = served_as("bernoulli").version
    encode = serving.inspect(version)["encode"]
    x = np.zeros((0, 4, 4, 1), "float32")
    (outputs,) = c_runtime.run(version, [(encode, {"x": x})])
    assert outputs["z"].shape == (0, 2)


@pytest.mark.parametrize("package", ["keras_vae", "keras", "tensorflow"])
def test_process_has_no_packages(package):
    done = subprocess.run(
        [*CRuntime.COMMAND, "-c", f"import {package}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"No module named '{package}'" in done.stderr


def test_wrong_calls_are_reported_one_by_one(served_as, c_runtime):
    version = served_as("bernoulli").version
    encode = serving.inspect(version)["encode"]
    x = np.zeros((1, 4, 4, 1), "float32")
    absent = serving.Signature(
        "absent",
        {},
        {"y": encode.outputs["z"].__class__((), "float32", "no:0")},
    )
    results = c_runtime.run(
        version,
        [
            (encode, {"x": x}),
            (encode, {"x": x.astype("int32")}),
            (absent, {}),
            (encode, {"x": x[:, :2]}),
            (encode, {"x": x}),
        ],
    )
    assert results[0]["z"].shape == results[4]["z"].shape == (1, 2)
    assert "float" in results[1] and "int32" in results[1]
    assert "'no'" in results[2]
    assert isinstance(results[3], str)


def test_text_is_not_sent(served_as, c_runtime):
    version = served_as("bernoulli").version
    encode = serving.inspect(version)["encode"]
    x = np.zeros((1, 4, 4, 1), "float32")
    text = np.full((1, 4, 4, 1), b"text", object)
    refused, called = c_runtime.run(
        version, [(encode, {"x": text}), (encode, {"x": x})]
    )
    assert refused == "input `x` must be made of numbers, and is string"
    assert called["z"].shape == (1, 2)


def test_folder_without_a_model(tmp_path, c_runtime):
    with pytest.raises(ValueError, match="cannot be loaded.*Received: path="):
        c_runtime.run(tmp_path, [])


def test_process_that_stops(served_as):
    version = served_as("bernoulli").version
    with CRuntime() as runtime:
        runtime._process.kill()
        with pytest.raises(ValueError, match="stopped with status -9"):
            runtime.run(version, [])


def test_library_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr("tensorflow.sysconfig.get_lib", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match="libtensorflow_cc"):
        CRuntime().__enter__()
