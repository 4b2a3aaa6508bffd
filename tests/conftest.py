"""Two logical CPUs, so that replicas need no accelerator; fixed seeds."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
# Tests need no data files; a slow one looks for dSprites there.
DATA_FOLDER = os.environ.pop("KERAS_VAE_DATA", None)

import keras  # noqa: E402
import pytest  # noqa: E402
import tensorflow as tf  # noqa: E402

from keras_vae.models import TermModel  # noqa: E402

_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    _CPU, 2 * [tf.config.LogicalDeviceConfiguration()]
)


def pytest_addoption(parser):
    parser.addoption(
        "--run_slow", action="store_true", help="run the slow tests too"
    )


def pytest_collection_modifyitems(config, items):
    if config.getoption("--run_slow"):
        return
    skip = pytest.mark.skip(reason="slow: needs --run_slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def fixed_seed():
    keras.utils.set_random_seed(20)


@pytest.fixture(autouse=True)
def no_xla_by_default(monkeypatch):
    """Compiling tiny models would take most of the time of the tests."""
    monkeypatch.setattr(
        TermModel, "_resolve_auto_jit_compile", lambda self: False
    )


@pytest.fixture(scope="session")
def mirrored():
    """One strategy for all tests: a third one has aborted a process."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def data_folder():
    """Folder of data sets that the user has named, or None."""
    return DATA_FOLDER


@pytest.fixture(scope="session")
def digits():
    """Scikit-learn's digits as float32 (1797, 8, 8, 1) in [0, 1]."""
    from sklearn.datasets import load_digits

    return (load_digits().images[..., None] / 16.0).astype("float32")


@pytest.fixture(scope="session")
def binary_digits(digits):
    return (digits > 0.5).astype("float32")
