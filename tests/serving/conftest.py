import contextlib
import dataclasses
import functools
import json
import math
import pathlib
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.serving import export_model
from keras_vae.serving.c_runtime import CRuntime
from tests.serving import watch_versions

EVENT = (4, 4, 1)
LATENT_DIM = 2


def make_networks(likelihood, features=8):
    params = keras_vae.likelihoods.get(likelihood).params_shape(EVENT)
    small = keras.initializers.RandomNormal(stddev=0.1)
    encoder = [
        keras.Input(EVENT),
        keras.layers.Flatten(),
        # Posteriors near the prior: importance weights that vary little.
        keras.layers.Dense(features, "tanh", kernel_initializer=small),
    ]
    decoder = [
        keras.Input((LATENT_DIM,)),
        keras.layers.Dense(math.prod(params)),
        keras.layers.Reshape(params),
    ]
    return keras.Sequential(encoder), keras.Sequential(decoder)


def make_vae(likelihood, **kwargs):
    networks = make_networks(likelihood)
    kwargs = {"latent_dim": LATENT_DIM, "seed": 0, **kwargs}
    return keras_vae.VAE(*networks, likelihood=likelihood, **kwargs)


def make_mixed_precision_vae():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return make_vae("bernoulli")
    finally:
        keras.config.set_dtype_policy(policy)


MODELS = {
    "autoencoder": lambda: keras_vae.Autoencoder(
        *make_networks("squared_error", features=LATENT_DIM), seed=0
    ),
    "bernoulli": lambda: make_vae("bernoulli"),
    "mixture_prior": lambda: make_vae(
        "bernoulli", prior=keras_vae.priors.MixturePrior(3)
    ),
    "vamp_prior": lambda: make_vae(
        "bernoulli", prior=keras_vae.priors.VampPrior(3)
    ),
    "full_covariance": lambda: make_vae(
        "bernoulli", posterior="full_covariance_normal"
    ),
    "mixed_precision": make_mixed_precision_vae,
    "continuous_bernoulli": lambda: make_vae("continuous_bernoulli"),
    "normal": lambda: make_vae("normal"),
    "squared_error": lambda: make_vae("squared_error"),
    "categorical": lambda: make_vae(keras_vae.likelihoods.Categorical(4)),
    "discretized_logistic_mixture": lambda: make_vae(
        keras_vae.likelihoods.DiscretizedLogisticMixture(2)
    ),
}


@dataclasses.dataclass
class Served:
    """A model, its exported version, and calls with their true outputs.

    Keys of `inputs` and `outputs` are "<call>/<signature>/<name>".
    """

    model: keras.Model
    version: pathlib.Path
    inputs: dict
    outputs: dict

    @functools.cached_property
    def loaded(self):
        return tf.saved_model.load(self.version)

    def assert_close(self, actual, expected, err_msg=""):
        half = self.model.encoder.compute_dtype == "bfloat16"
        tolerance = 1e-2 if half else 1e-5
        np.testing.assert_allclose(
            actual, expected, tolerance, tolerance, err_msg=err_msg
        )


def serve(model, path):
    rng = np.random.default_rng(0)
    arguments = {
        "x": rng.integers(0, 2, (5, *EVENT)).astype("float32"),
        "z": rng.normal(size=(3, LATENT_DIM)).astype("float32"),
        "num": np.int32(6),
        "num_samples": np.int32(7),
        "seed": np.array([1, 2], "int32"),
    }
    other = {**arguments, "seed": np.array([1, 3], "int32")}
    signatures = model.export_signatures()
    seeded = [name for name in ("sample", "log_prob") if name in signatures]
    calls = [(name, arguments) for name in signatures]
    calls += [(name, arguments) for name in seeded]
    calls += [(name, other) for name in seeded]
    inputs, outputs = {}, {}
    for call, (name, values) in enumerate(calls):
        function, specs = signatures[name]
        tensors = [tf.constant(values[spec.name]) for spec in specs]
        for spec in specs:
            inputs[f"{call}/{name}/{spec.name}"] = values[spec.name]
        for output, value in function(*tensors).items():
            value = tf.cast(value, "float32").numpy()
            outputs[f"{call}/{name}/{output}"] = value
    version = export_model(model, path)
    return Served(model, version, inputs, outputs)


@pytest.fixture(scope="session")
def served_as(tmp_path_factory):
    """The `Served` of a name in MODELS, made once."""
    path = tmp_path_factory.mktemp("models")

    @functools.cache
    def served_as(name):
        keras.utils.set_random_seed(1)
        model = MODELS[name]()
        model.build((None, *EVENT))
        return serve(model, path / name)

    return served_as


@pytest.fixture(params=list(MODELS))
def served(request, served_as):
    return served_as(request.param)


@pytest.fixture(scope="session")
def c_runtime():
    """One process for all tests, as starting it takes a second."""
    with CRuntime() as runtime:
        yield runtime


class Tiny(keras.Model):
    """The least that can be exported."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(2)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x)

    def export_signatures(self):
        specs = [tf.TensorSpec((None, 2), tf.float32, name="x")]
        return {"serving_default": (lambda x: {"y": self(x)}, specs)}


@pytest.fixture
def tiny():
    model = Tiny()
    model.build((None, 2))
    return model


@pytest.fixture
def watching(tmp_path_factory):
    """Context that watches a folder from another process.

    It yields an object that has, after the context, the number of `polls`,
    the versions `seen`, and those that were `partial` when seen first.
    """

    @contextlib.contextmanager
    def watch(folder):
        scratch = tmp_path_factory.mktemp("watch")
        stop, output = scratch / "stop", scratch / "report.json"
        report = types.SimpleNamespace()
        script = watch_versions.__file__
        with subprocess.Popen(
            [sys.executable, script, folder, stop, output],
            stdout=subprocess.PIPE,
        ) as process:
            try:
                process.stdout.readline()
                yield report
            finally:
                stop.touch()
        found = json.loads(output.read_text())
        report.polls = found["polls"]
        report.seen = set(found["versions"])
        report.partial = [
            version
            for version, files in found["versions"].items()
            if files != watch_versions.digests(folder / version)
        ]

    return watch
