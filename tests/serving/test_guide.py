"""The clients of the guide talk as TensorFlow Serving does."""

import collections
import contextlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from keras_vae import serving
from tests.serving import guide

X = np.zeros((3, 4, 4, 1), "float32")


def test_a_version_is_shipped_whole(tmp_path):
    """With stand-ins for what only two hosts have."""
    for name, line in {
        "python": "test -e $4",
        "rsync": 'mkdir -p "${4#*:}"; cp -r "$3." "${4#*:}"',
        "ssh": 'shift; exec "$@"',
    }.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{line}\n")
        path.chmod(0o755)
    (tmp_path / "saved_models/digits/3").mkdir(parents=True)
    (tmp_path / "saved_models/digits/3/saved_model.pb").touch()
    blocks = re.findall(r"```bash\n(.*?)```", guide.PAGE.read_text(), re.S)
    (command,) = [block for block in blocks if "rsync" in block]
    assert not re.search(r"server:models/digits/[0-9$]", command)
    subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
        check=True,
    )
    (version,) = (tmp_path / "models/digits").iterdir()
    assert version.name == "3" and (version / "saved_model.pb").exists()


@pytest.fixture
def ask(served_as):
    """Answers of a server, from (signature name, inputs)."""
    served = served_as("bernoulli")
    signatures = serving.inspect(served.version)

    def ask(name, inputs):
        return guide.answer(
            signatures[name], served.loaded.signatures[name], inputs
        )

    return ask


def expected(served_as, requests="VAE"):
    """All signatures of the VAE, but for the one that needs no name."""
    names = set(serving.inspect(served_as("bernoulli").version))
    return names - {"serving_default"}


@contextlib.contextmanager
def rest_server(ask, paths):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            paths.append(self.path)
            size = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(size))
            assert set(body) == {"signature_name", "inputs"}
            outputs = ask(body["signature_name"], body["inputs"])
            if isinstance(outputs, dict):
                outputs = {k: v.tolist() for k, v in outputs.items()}
            else:
                outputs = outputs.tolist()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"outputs": outputs}).encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_rest_client(ask, served_as):
    paths = []
    with rest_server(ask, paths) as address:
        predict = guide.client("rest", REST=address)
        used = guide.send_requests("VAE", predict, x=X)
        samples = predict("digits", "sample", num=2, seed=[3, 4])
    assert used == expected(served_as)
    assert paths[0] == "/v1/models/digits/labels/stable:predict"
    assert set(paths[1:]) == {"/v1/models/digits:predict"}
    np.testing.assert_allclose(
        samples, ask("sample", {"num": 2, "seed": [3, 4]}), rtol=1e-6
    )


@pytest.fixture
def requests_over_grpc(ask, monkeypatch):
    """Stand-ins for what the extra `serving` brings; the true message if
    it is installed."""
    requests = []
    try:
        from tensorflow_serving.apis import predict_pb2
    except ImportError:
        predict_pb2 = types.SimpleNamespace(
            PredictRequest=lambda: types.SimpleNamespace(
                model_spec=types.SimpleNamespace(version_label=""),
                inputs=collections.defaultdict(tensor_pb2.TensorProto),
            )
        )

    class Stub:
        def __init__(self, channel):
            assert hasattr(channel, "unary_unary")

        def Predict(self, request, timeout):
            assert timeout > 0
            requests.append(request)
            inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
            outputs = ask(request.model_spec.signature_name, inputs)
            if not isinstance(outputs, dict):
                outputs = {"output": outputs}
            return types.SimpleNamespace(
                outputs={k: tf.make_tensor_proto(v) for k, v in outputs.items()}
            )

    apis = types.ModuleType("tensorflow_serving.apis")
    apis.predict_pb2 = predict_pb2
    apis.prediction_service_pb2_grpc = types.SimpleNamespace(
        PredictionServiceStub=Stub
    )
    package = types.ModuleType("tensorflow_serving")
    monkeypatch.setitem(sys.modules, "tensorflow_serving", package)
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", apis)
    return requests


def test_grpc_client(requests_over_grpc, ask, served_as):
    requests = requests_over_grpc
    predict = guide.client("grpc")
    used = guide.send_requests("VAE", predict, x=X)
    assert used == expected(served_as)
    specs = [request.model_spec for request in requests]
    assert {spec.name for spec in specs} == {"digits"}
    assert [spec.version_label for spec in specs] == ["stable"] + 4 * [""]
    np.testing.assert_allclose(
        predict("digits", "sample", num=2, seed=[3, 4]),
        ask("sample", {"num": 2, "seed": [3, 4]}),
    )


@pytest.mark.parametrize(
    "inputs",
    [
        {"num": 2},
        {"num": 2, "seed": [1, 2], "label": [0, 0]},
        {"num": [2], "seed": [1, 2]},
        {"num": 2, "seed": [1, 2, 3]},
        {"num": 2.5, "seed": [1, 2]},
    ],
)
def test_stand_in_refuses_what_a_server_refuses(ask, inputs):
    with pytest.raises(AssertionError):
        ask("sample", inputs)
