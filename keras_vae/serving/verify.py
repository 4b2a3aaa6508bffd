"""Tests of an exported model before it is shipped."""

import pathlib

import numpy as np

from keras_vae.serving.c_runtime import CRuntime
from keras_vae.serving.inspect_version import read_signatures
from keras_vae.serving.signature import Signature
from keras_vae.serving.signature import describe
from keras_vae.serving.versions import find_version
from keras_vae.serving.warm_up import MAX_RECORDS
from keras_vae.serving.warm_up import read_warm_up
from keras_vae.typing import PathLike


def verify(path: PathLike) -> dict[str, Signature]:
    """Runs an exported model as a server would, before it is shipped.

    The model is loaded in TensorFlow's C runtime, in a process without this
    library and without Keras. Every signature is run on its warm-up records;
    outputs must be finite, of the promised types and shapes.

    Args:
        path: folder of a version, or of a model: then its newest version.

    Returns:
        dict of name to `Signature`; `batching_obstacle` says which of them
        the server cannot batch.

    Raises:
        OSError: if `path` does not exist, is a file, or cannot be read, or
            the shared library of TensorFlow is missing.
        ValueError: if there is no model, or one that must not be shipped.
            The message names all that is wrong.

    Example:

    >>> import tempfile
    >>> model = keras_vae.GaussianMixture(2, 3)
    >>> model.build((None, 3))
    >>> folder = tempfile.TemporaryDirectory()
    >>> version = keras_vae.export_model(model, folder.name)
    >>> signatures = keras_vae.serving.verify(folder.name)
    >>> [s.name for s in signatures.values() if not s.batching_obstacle]
    ['log_prob']
    >>> folder.cleanup()
    """
    version = find_version(path)
    with CRuntime() as runtime:
        return verify_version(version, runtime)


def verify_version(
    version: pathlib.Path, runtime: CRuntime
) -> dict[str, Signature]:
    """As `verify`, of the folder of a version, in a running `CRuntime`."""
    signatures = read_signatures(version)
    if not (version / "variables" / "variables.index").is_file():
        raise ValueError(
            "variables/variables.index is missing: is this half of a copy? "
            f"Received: path={str(version)!r}"
        )
    records = read_warm_up(version)
    problems = _problems_of_records(signatures, records)
    calls = []
    for name, inputs in records:
        if name in signatures:
            found = _misfits(signatures[name].inputs, inputs)
            if found:
                problems += [f"{name}: warm-up record: {p}" for p in found]
            else:
                calls.append((signatures[name], inputs))
    results = runtime.run(version, calls)
    for (signature, _), outputs in zip(calls, results, strict=True):
        if isinstance(outputs, str):
            found = [outputs]
        else:
            found = _misfits(signature.outputs, outputs)
            found += [
                f"`{name}` is not finite"
                for name, value in outputs.items()
                if not np.all(np.isfinite(value))
            ]
        problems += [f"{signature.name}: {problem}" for problem in found]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ValueError(
            f"This model must not be shipped:\n{listed}\n"
            f"Received: path={str(version)!r}"
        )
    return signatures


def _problems_of_records(signatures, records):
    named = {name for name, _ in records}
    problems = [
        f"{name}: no warm-up record" for name in signatures if name not in named
    ]
    problems += [
        f"{name}: a warm-up record of a signature that does not exist"
        for name in sorted(named - set(signatures))
    ]
    if len(records) > MAX_RECORDS:
        problems.append(
            f"{len(records)} warm-up records: the server takes {MAX_RECORDS}"
        )
    return problems


def _misfits(specs, values):
    """What is wrong with named arrays that should be as `specs` say."""
    if set(specs) != set(values):
        return [f"it has {sorted(values)}, not {sorted(specs)}"]
    return [
        f"`{name}` is {value.dtype} {list(value.shape)}, not {describe(spec)}"
        for name, spec in specs.items()
        if (value := values[name]).dtype != spec.dtype.as_numpy_dtype
        or not spec.shape.is_compatible_with(value.shape)
    ]
