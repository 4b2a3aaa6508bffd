"""A process in which TensorFlow's C runtime runs SavedModels."""

import base64
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from typing import Self

import numpy as np
import tensorflow as tf

from keras_vae.serving.signature import Signature
from keras_vae.typing import Array

_WORKER = pathlib.Path(__file__).with_name("c_runtime_worker.py")


class CRuntime:
    """TensorFlow's C runtime in a fresh process, as a context manager.

    The process runs on the CPU, through the shared library of the installed
    TensorFlow. It has no third-party package of Python, hence not this one.

    Raises:
        OSError: from `with`, if TensorFlow's shared library is not found.
    """

    #: Python without site-packages, PYTHONPATH and the current folder.
    COMMAND = (sys.executable, "-I", "-S")

    def __enter__(self) -> Self:
        library = _library()
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [*self.COMMAND, _WORKER, library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # Not a GPU, whose memory a server or a training may hold.
            env={
                **os.environ,
                "CUDA_VISIBLE_DEVICES": "-1",
                "TF_CPP_MIN_LOG_LEVEL": "2",
            },
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        # It stops at the end of its input.
        for pipe in (self._process.stdout, self._process.stdin):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()
        self._errors.close()

    def run(
        self,
        version: pathlib.Path,
        calls: Iterable[tuple[Signature, dict[str, Array]]],
    ) -> list[dict[str, Array] | str]:
        """Loads a SavedModel and calls its signatures.

        Args:
            version: folder of a version.
            calls: iterable of (`Signature`, dict of input name to array).

        Returns:
            A list with an entry for each call: a dict of output name to
            array, or the error as a str. What is not made of numbers, such
            as text, is an error.

        Raises:
            ValueError: if the model cannot be loaded, or stops the process.
        """
        calls = list(calls)
        refused = [_obstacle(*call) for call in calls]
        job = {
            "version": str(version),
            "runs": [
                _packed(*call)
                for call, error in zip(calls, refused, strict=True)
                if error is None
            ],
        }
        answer = self._ask(job)
        if "error" in answer:
            raise ValueError(
                "The model cannot be loaded in TensorFlow's C runtime: "
                f"{answer['error']}. Received: path={str(version)!r}"
            )
        runs = iter(answer["runs"])
        return [
            error or _result(signature, next(runs))
            for (signature, _), error in zip(calls, refused, strict=True)
        ]

    def _ask(self, job):
        try:
            print(json.dumps(job), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            status = self._process.wait()
            self._errors.seek(0)
            said = self._errors.read()[-1000:].decode(errors="replace")
            raise ValueError(
                f"TensorFlow's C runtime stopped with status {status}: {said}"
                f"Received: path={job['version']!r}"
            )
        return json.loads(answer)


def _library():
    found = sorted(pathlib.Path(tf.sysconfig.get_lib()).glob("*tensorflow_cc*"))
    if not found:
        raise FileNotFoundError(
            "TensorFlow's C runtime, libtensorflow_cc, is not in "
            f"{tf.sysconfig.get_lib()}"
        )
    return found[0]


def _obstacle(signature, inputs):
    """Why a call is not made, as a str; None if it can be made."""
    tensors = [
        ("input", name, tf.as_dtype(value.dtype))
        for name, value in inputs.items()
    ]
    tensors += [
        ("output", name, spec.dtype) for name, spec in signature.outputs.items()
    ]
    for kind, name, dtype in tensors:
        if not _is_number(dtype):
            return _no_number(kind, name, dtype)
    return None


def _is_number(dtype):
    # An array of any other holds addresses, not values.
    kinds = (dtype.is_floating, dtype.is_integer, dtype.is_complex)
    return any(kinds) or dtype.is_bool


def _no_number(kind, name, dtype):
    return f"{kind} `{name}` must be made of numbers, and is {dtype.name}"


def _result(signature, run):
    """The outputs of a call, or an error, as a str."""
    if "error" in run:
        return run["error"]
    for name, output in zip(signature.outputs, run["outputs"], strict=True):
        dtype = tf.as_dtype(output["dtype"])
        # Whatever the signature has promised.
        if not _is_number(dtype):
            return _no_number("output", name, dtype)
    return _unpacked(signature, run["outputs"])


def _packed(signature, inputs):
    return {
        "inputs": [
            {
                "name": signature.inputs[name].name,
                "dtype": tf.as_dtype(value.dtype).as_datatype_enum,
                "shape": value.shape,
                "data": base64.b64encode(value.tobytes()).decode(),
            }
            for name, value in inputs.items()
        ],
        "outputs": [spec.name for spec in signature.outputs.values()],
    }


def _unpacked(signature, outputs):
    return {
        name: np.frombuffer(
            base64.b64decode(output["data"]),
            tf.as_dtype(output["dtype"]).as_numpy_dtype,
        ).reshape(output["shape"])
        for name, output in zip(signature.outputs, outputs, strict=True)
    }
