import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import keras_vae
from keras_vae.serving import export_model
from tests.serving import run_signatures
from tests.serving.conftest import EVENT
from tests.serving.conftest import LATENT_DIM
from tests.serving.conftest import MODELS
from tests.serving.conftest import Tiny

X = ((None, *EVENT), tf.float32)
Z = ((None, LATENT_DIM), tf.float32)
NUM = ((), tf.int32)
SEED = ((2,), tf.int32)
CONTRACT = {
    "serving_default": ({"x": X}, {"reconstruction": X}),
    "reconstruct": ({"x": X}, {"reconstruction": X}),
    "encode": ({"x": X}, {"z": Z}),
    "decode": ({"z": Z}, {"reconstruction": X}),
    "sample": ({"num": NUM, "seed": SEED}, {"samples": X}),
    "log_prob": (
        {"x": X, "num_samples": NUM, "seed": SEED},
        {"log_prob": ((None,), tf.float32)},
    ),
}


def test_signatures_are_the_contract(served):
    def described(specs):
        return {n: (tuple(s.shape), s.dtype) for n, s in specs.items()}

    signatures = {
        name: (
            described(signature.structured_input_signature[1]),
            described(signature.structured_outputs),
        )
        for name, signature in served.loaded.signatures.items()
    }
    names = set(CONTRACT)
    if not isinstance(served.model, keras_vae.VAE):
        names -= {"sample", "log_prob"}
    elif not served.model.likelihood.normalized:
        names -= {"log_prob"}
    assert signatures == {name: CONTRACT[name] for name in names}


@pytest.fixture(scope="session")
def outputs_without_library(served_as, tmp_path_factory):
    folder = tmp_path_factory.mktemp("without_library")
    jobs = []
    for name in MODELS:
        served = served_as(name)
        inputs, outputs = folder / f"{name}.in.npz", folder / f"{name}.npz"
        np.savez(inputs, **served.inputs)
        jobs.append([str(served.version), str(inputs), str(outputs)])
    (folder / "jobs.json").write_text(json.dumps(jobs))
    script = run_signatures.__file__
    done = subprocess.run(
        [sys.executable, script, "jobs.json"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "hidden: keras keras_vae" in done.stdout
    return folder


def test_every_signature_in_a_process_without_the_library(
    served_as, outputs_without_library
):
    for name in MODELS:
        served = served_as(name)
        with np.load(outputs_without_library / f"{name}.npz") as outputs:
            assert set(outputs) == set(served.outputs)
            for key, expected in served.outputs.items():
                served.assert_close(outputs[key], expected, f"{name}: {key}")


def test_outputs_are_those_of_the_methods(served):
    model, signatures = served.model, served.loaded.signatures
    x, z = served.inputs["0/serving_default/x"], tf.ones((3, LATENT_DIM))
    reconstruction = model.reconstruct(x)
    for actual, expected in [
        (signatures["serving_default"](x=x)["reconstruction"], reconstruction),
        (signatures["reconstruct"](x=x)["reconstruction"], reconstruction),
        (signatures["encode"](x=x)["z"], model.encode(x)),
        (signatures["decode"](z=z)["reconstruction"], model.decode(z)),
    ]:
        served.assert_close(actual, tf.cast(expected, "float32"))


def test_batches_of_any_size(served):
    signatures = served.loaded.signatures
    x = served.inputs["0/serving_default/x"]
    whole = signatures["reconstruct"](x=x)["reconstruction"].numpy()
    for rows in (0, 1, 3):
        part = signatures["reconstruct"](x=x[:rows])["reconstruction"]
        served.assert_close(part, whole[:rows])


def test_seed_alone_decides_the_noise(served_as):
    served = served_as("bernoulli")
    signatures = served.loaded.signatures
    x = served.inputs["0/serving_default/x"]
    for name, arguments, output in [
        ("sample", {"num": 4}, "samples"),
        ("log_prob", {"x": x, "num_samples": 3}, "log_prob"),
    ]:
        first, again, other = [
            signatures[name](
                seed=tf.constant(seed),
                **{key: tf.constant(v) for key, v in arguments.items()},
            )[output].numpy()
            for seed in ([1, 2], [1, 2], [2, 1])
        ]
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).max() > 1e-4
        assert len(np.unique(first, axis=0)) > 1


def test_sample_gives_the_number_asked_for(served_as):
    sample = served_as("bernoulli").loaded.signatures["sample"]
    for num in (0, 1, 9):
        samples = sample(num=tf.constant(num), seed=tf.constant([0, 0]))
        assert samples["samples"].shape == (num, *EVENT)


def test_log_prob_is_the_importance_weighted_bound(served):
    if "log_prob" not in served.loaded.signatures:
        pytest.skip("no log_prob")
    x = served.inputs["0/serving_default/x"]
    # The seed of the first batch of `log_likelihood`.
    seed = keras_vae.random.fold_in(keras_vae.random.as_seed(7), 0)
    actual = served.loaded.signatures["log_prob"](
        x=x, num_samples=tf.constant(300), seed=seed
    )["log_prob"]
    expected = served.model.log_likelihood(x, num_samples=300, seed=7)
    served.assert_close(actual, expected)


def test_after_training_the_next_version_has_the_new_weights(tmp_path):
    model = keras_vae.VAE(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]),
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)]),
        latent_dim=2,
        seed=0,
    )
    model.build((None, 4))
    x = np.random.default_rng(0).integers(0, 2, (32, 4)).astype("float32")
    before = model.reconstruct(x)
    first = export_model(model, tmp_path)
    model.compile("adam")
    model.fit(x, epochs=2, batch_size=8, verbose=0)
    model.evaluate(x, verbose=0)
    model.predict(x, verbose=0)
    second = export_model(model, tmp_path)
    assert [first.name, second.name] == ["1", "2"]
    assert np.abs(before - model.reconstruct(x)).max() > 1e-3
    for version, expected in [(first, before), (second, model.reconstruct(x))]:
        served = tf.saved_model.load(version)
        actual = served.signatures["serving_default"](x=x)["reconstruction"]
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_watcher_never_sees_a_partial_export(watching, tiny, tmp_path):
    with watching(tmp_path) as report:
        for _ in range(50):
            export_model(tiny, tmp_path)
    versions = {str(version) for version in range(1, 51)}
    assert report.polls > 50
    assert report.seen == set(os.listdir(tmp_path)) == versions
    assert report.partial == []
    for version in versions:
        parsed = saved_model_pb2.SavedModel.FromString(
            (tmp_path / version / "saved_model.pb").read_bytes()
        )
        assert "serving_default" in parsed.meta_graphs[0].signature_def
        variables = tf.train.load_checkpoint(
            str(tmp_path / version / "variables" / "variables")
        )
        assert len(variables.get_variable_to_shape_map()) >= 2


def test_python_control_flow_and_half_precision(tmp_path):
    """AutoGraph works in a signature; floats leave it as float32."""

    class Looping(Tiny):
        def export_signatures(self):
            def double(x, times):
                for _ in tf.range(times):
                    x = x + x
                return {"y": tf.cast(x, "bfloat16"), "times": times}

            specs = [
                tf.TensorSpec((None, 2), tf.float32, name="x"),
                tf.TensorSpec((), tf.int32, name="times"),
            ]
            return {"serving_default": (double, specs)}

    model = Looping()
    model.build((None, 2))
    version = export_model(model, tmp_path)
    served = tf.saved_model.load(version)
    outputs = served.signatures["serving_default"](
        x=tf.ones((1, 2)), times=tf.constant(3)
    )
    assert outputs["y"].dtype == tf.float32
    np.testing.assert_array_equal(outputs["y"], [[8.0, 8.0]])
    assert outputs["times"].dtype == tf.int32


def test_nothing_is_printed(tiny, tmp_path, capfd):
    export_model(tiny, tmp_path)
    assert capfd.readouterr() == ("", "")


def test_error_in_the_middle_leaves_no_version(tiny, tmp_path):
    def broken(x):
        raise RuntimeError("broken")

    specs = [tf.TensorSpec((None, 2), name="x")]
    signatures = tiny.export_signatures()
    tiny.export_signatures = lambda: {**signatures, "broken": (broken, specs)}
    with pytest.raises(RuntimeError, match="broken"):
        export_model(tiny, tmp_path)
    assert os.listdir(tmp_path) == []


def test_model_must_be_built(tmp_path):
    with pytest.raises(ValueError, match="must be built.*Received: model="):
        export_model(Tiny(), tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_model_must_have_signatures(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="export_signatures.*Received: model"):
        export_model(model, tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_folder_is_checked_before_anything_is_traced(tiny, tmp_path):
    tiny.export_signatures = pytest.fail
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OSError, match=f"`path` must be.*{file}"):
        export_model(tiny, file)
