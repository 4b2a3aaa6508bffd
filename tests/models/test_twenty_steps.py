"""Every model trains on many devices and hosts as on one device."""

import functools
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import random
from tests import loopback
from tests.models import twenty_steps

ROOT = pathlib.Path(__file__).parents[2]


@functools.cache
def of_one_device(name, optimizer):
    strategy = tf.distribute.get_strategy()
    return twenty_steps.weights_after(name, optimizer, strategy)


def predictions(name, weights):
    model = twenty_steps.ROWS[name].model()
    for weight, value in zip(model.weights, weights, strict=True):
        weight.assign(value)
    with random.noise_scope(random.Noise(random.as_seed(0))):
        return keras.ops.convert_to_numpy(model(twenty_steps.inputs(name, 8)))


def assert_equal(name, optimizer, weights):
    expected = of_one_device(name, optimizer)
    if optimizer == "momentum":
        for one, two in zip(expected, weights, strict=True):
            np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-5)
        return
    # Adam turns noise of a vanishing gradient into steps; see what it does.
    np.testing.assert_allclose(
        predictions(name, weights),
        predictions(name, expected),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.fixture(scope="module")
def of_two_workers(tmp_path_factory):
    """What each of two processes on loopback has after all runs."""
    folder = tmp_path_factory.mktemp("workers")
    workers = []
    for index, environment in enumerate(loopback.environments()):
        program = [sys.executable, "-m", "tests.models.twenty_steps"]
        workers.append(
            subprocess.Popen(
                [*program, str(folder / f"{index}.npz")],
                cwd=ROOT,
                env=os.environ | environment,
            )
        )
    try:
        codes = [worker.wait(timeout=7200) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert codes == [0, 0]
    return [np.load(folder / f"{index}.npz") for index in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", twenty_steps.OPTIMIZERS)
@pytest.mark.parametrize("name", twenty_steps.ROWS)
def test_two_devices_equal_one(name, optimizer, mirrored):
    weights = twenty_steps.weights_after(name, optimizer, mirrored)
    assert_equal(name, optimizer, weights)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", twenty_steps.OPTIMIZERS)
@pytest.mark.parametrize("name", twenty_steps.ROWS)
def test_two_workers_equal_one_device(name, optimizer, of_two_workers):
    prefix = f"{name}/{optimizer}/"
    for worker in of_two_workers:
        count = sum(key.startswith(prefix) for key in worker.files)
        weights = [worker[f"{prefix}{index}"] for index in range(count)]
        assert_equal(name, optimizer, weights)
