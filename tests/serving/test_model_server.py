"""TensorFlow Serving itself, where it is installed."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.serving import export_model
from tests.serving import guide

SERVER = shutil.which("tensorflow_model_server")
pytestmark = pytest.mark.skipif(
    not SERVER, reason="tensorflow_model_server is not on the PATH"
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data, timeout=60) as answer:
        return json.load(answer)


def wait_for(url, version, process, seconds=60):
    """Until the server has the version."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server stopped"
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            states = request(url)["model_version_status"]
            if {"AVAILABLE"} == {
                s["state"] for s in states if s["version"] == version.name
            }:
                return
        time.sleep(0.2)
    pytest.fail(f"version {version.name} was not served in {seconds} s")


@pytest.fixture(scope="module")
def server(served_as):
    """Address of gRPC, URL of the model over REST, and the process."""
    grpc_port, rest_port = free_port(), free_port()
    version = served_as("bernoulli").version
    with subprocess.Popen(
        [
            SERVER,
            f"--port={grpc_port}",
            f"--rest_api_port={rest_port}",
            "--model_name=vae",
            f"--model_base_path={version.parent}",
            "--file_system_poll_wait_seconds=1",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            url = f"http://127.0.0.1:{rest_port}/v1/models/vae"
            wait_for(url, version, process)
            yield f"127.0.0.1:{grpc_port}", url, process
        finally:
            process.terminate()


def calls(served):
    """(signature, inputs, expected outputs) of every call."""
    for call in dict.fromkeys(k.rpartition("/")[0] for k in served.inputs):
        yield (
            call.partition("/")[2],
            *(
                {
                    key.rpartition("/")[2]: np.asarray(value)
                    for key, value in values.items()
                    if key.rpartition("/")[0] == call
                }
                for values in (served.inputs, served.outputs)
            ),
        )


def test_rest(server, served_as):
    _, url, _ = server
    for name, inputs, expected in calls(served_as("bernoulli")):
        answer = request(
            f"{url}:predict",
            {
                "signature_name": name,
                "inputs": {key: v.tolist() for key, v in inputs.items()},
            },
        )["outputs"]
        # The only output of a signature comes without its name.
        ((_, value),) = expected.items()
        np.testing.assert_allclose(
            answer, value, rtol=1e-4, atol=1e-5, err_msg=name
        )


def test_grpc(server, served_as):
    grpc = pytest.importorskip("grpc")
    predict_pb2 = pytest.importorskip("tensorflow_serving.apis.predict_pb2")
    service = pytest.importorskip(
        "tensorflow_serving.apis.prediction_service_pb2_grpc"
    )
    address, _, _ = server
    with grpc.insecure_channel(address) as channel:
        stub = service.PredictionServiceStub(channel)
        for name, inputs, expected in calls(served_as("bernoulli")):
            message = predict_pb2.PredictRequest()
            message.model_spec.name = "vae"
            message.model_spec.signature_name = name
            for key, value in inputs.items():
                message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            answer = stub.Predict(message, timeout=60).outputs
            assert set(answer) == set(expected)
            for key, value in expected.items():
                np.testing.assert_allclose(
                    tf.make_ndarray(answer[key]),
                    value,
                    rtol=1e-4,
                    atol=1e-5,
                    err_msg=name,
                )


@pytest.mark.parametrize("client", guide.CLIENTS)
def test_clients_of_the_guide(server, served_as, client):
    address, url, _ = server
    if client == "grpc":
        pytest.importorskip("tensorflow_serving")
        predict = guide.client("grpc", GRPC=address)
    else:
        predict = guide.client("rest", REST=url.partition("/v1/")[0])
    x = served_as("bernoulli").inputs["0/serving_default/x"]

    def served(_, signature, version_label=None, **inputs):
        return predict("vae", signature, **inputs)

    assert guide.send_requests("VAE", served, x=x)


def test_next_version_is_picked_up(server, served_as):
    _, url, process = server
    served = served_as("bernoulli")
    version = export_model(served.model, served.version.parent)
    wait_for(url, version, process)
