"""The code of docs/guides/serving.md, run by the tests."""

import pathlib
import re

import numpy as np

PAGE = pathlib.Path(__file__).parents[2] / "docs/guides/serving.md"
_BLOCK = r"^<!-- (client|requests): ([^\n]*) -->\n```python\n(.*?)^```$"
_FOUND = re.findall(_BLOCK, PAGE.read_text(), re.MULTILINE | re.DOTALL)

#: Source of each client, and of the requests of each kind of model.
CLIENTS = {name: code for kind, name, code in _FOUND if kind == "client"}
REQUESTS = {name: code for kind, name, code in _FOUND if kind == "requests"}


def client(name, **servers):
    """The function `predict` of a client, at other addresses."""
    names = {}
    exec(compile(CLIENTS[name], str(PAGE), "exec"), names)
    assert set(servers) <= set(names)
    names.update(servers)
    return names["predict"]


def send_requests(kind, predict, **data):
    """Runs the block of a kind of model; returns the signatures it used."""
    used = set()

    def noted(model, signature, **inputs):
        used.add(signature)
        return predict(model, signature, **inputs)

    names = {"predict": noted, **data}
    exec(compile(REQUESTS[kind], str(PAGE), "exec"), names)
    return used


def answer(signature, function, inputs):
    """What a server answers: it checks, runs, and drops a single name.

    Args:
        signature: `keras_vae.serving.Signature`.
        function: the signature of the loaded SavedModel.
        inputs: dict of name to numbers, nested lists or arrays.
    """
    assert set(inputs) == set(signature.inputs), signature.name
    arrays = {}
    for name, spec in signature.inputs.items():
        given = np.asarray(inputs[name])
        if spec.dtype.is_integer:
            assert given.dtype.kind == "i", name
        arrays[name] = given.astype(spec.dtype.as_numpy_dtype)
        assert spec.shape.is_compatible_with(given.shape), name
    outputs = {k: v.numpy() for k, v in function(**arrays).items()}
    assert set(outputs) == set(signature.outputs)
    for name, spec in signature.outputs.items():
        assert np.all(np.isfinite(outputs[name])), name
        assert spec.shape.is_compatible_with(outputs[name].shape), name
    return outputs.popitem()[1] if len(outputs) == 1 else outputs
