import pathlib
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(not COMPILER, reason="no C compiler")

TYPES = {"float32": "float", "int32": "int32"}


@pytest.fixture(scope="session")
def run_signature(tmp_path_factory):
    """The compiled C program."""
    program = tmp_path_factory.mktemp("c") / "run_signature"
    library = tf.sysconfig.get_lib()
    source = pathlib.Path(__file__).with_name("run_signature.c")
    command = [COMPILER, "-std=c11", source, "-o", program]
    command += [f"-I{tf.sysconfig.get_include()}", f"-L{library}"]
    command += ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    command += [f"-Wl,-rpath,{library}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def signature_defs(version):
    parsed = saved_model_pb2.SavedModel.FromString(
        (version / "saved_model.pb").read_bytes()
    )
    return parsed.meta_graphs[0].signature_def


def write_jobs(folder, served):
    """The program's text file; inputs and outputs are numbered files."""
    signatures, lines = signature_defs(served.version), []
    files = {}
    calls = dict.fromkeys(key.rpartition("/")[0] for key in served.inputs)
    for call in calls:
        signature = signatures[call.partition("/")[2]]
        for name, info in signature.inputs.items():
            array = np.asarray(served.inputs[f"{call}/{name}"])
            file = folder / f"{len(files)}"
            files[f"{call}/{name}"] = file
            file.write_bytes(array.tobytes())
            operation, index = info.name.split(":")
            kind = TYPES[array.dtype.name]
            shape = [str(size) for size in (array.ndim, *array.shape)]
            lines.append(
                f"in {operation} {index} {kind} {file} " + " ".join(shape)
            )
        for name, info in signature.outputs.items():
            file = folder / f"{len(files)}"
            files[f"{call}/{name}"] = file
            operation, index = info.name.split(":")
            lines.append(f"out {operation} {index} {file}")
        lines.append("run")
    (folder / "jobs").write_text("\n".join(lines) + "\n")
    return files


def test_every_signature_in_the_c_runtime(run_signature, served, tmp_path):
    ran = {key.split("/")[1] for key in served.inputs}
    assert ran == set(served.model.export_signatures())
    files = write_jobs(tmp_path, served)
    done = subprocess.run(
        [run_signature, served.version, tmp_path / "jobs"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    described = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert len(described) == len(served.outputs)
    for key, expected in served.outputs.items():
        kind, _, *shape = described[str(files[key])].split()
        assert kind == "float", key
        assert tuple(map(int, shape)) == expected.shape, key
        actual = np.frombuffer(files[key].read_bytes(), "float32")
        served.assert_close(actual.reshape(expected.shape), expected, key)


def test_program_reports_what_is_wrong(run_signature, served_as, tmp_path):
    (tmp_path / "jobs").write_text("out no_such_operation 0 file\nrun\n")
    version = served_as("bernoulli").version
    for model, message in [
        (tmp_path, str(tmp_path)),
        (version, "no_such_operation"),
    ]:
        done = subprocess.run(
            [run_signature, model, tmp_path / "jobs"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert message in done.stderr
