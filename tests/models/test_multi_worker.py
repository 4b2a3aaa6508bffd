"""Two processes on loopback train like one device."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tests import loopback

SCRIPT = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import keras, numpy as np, tensorflow as tf
multi = "TF_CONFIG" in os.environ
strategy = tf.distribute.get_strategy()
if multi:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
import keras_vae
keras.utils.set_random_seed(1)
x = np.random.default_rng(5).uniform(size=(23, 4, 4, 1)).astype("float32")
data = tf.data.Dataset.from_tensor_slices(x).batch(8)
options = tf.data.Options()
options.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.DATA
)
data = data.with_options(options)
with strategy.scope():
    encoder = keras_vae.networks.mlp_encoder((4, 4, 1), units=(16,))
    decoder = keras_vae.networks.mlp_decoder(3, (4, 4, 1), units=(16,))
    model = keras_vae.VAE(encoder, decoder, 3, seed=3)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9, global_clipnorm=1.0)
    model.compile(optimizer)
history = model.fit(data, epochs=3, verbose=0).history
logs = model.evaluate(data, verbose=0, return_dict=True)
values = {f"w{i}": v.numpy() for i, v in enumerate(model.weights)}
np.savez(
    sys.argv[1],
    loss=history["loss"],
    neg_elbo=logs["neg_elbo"],
    log_likelihood=model.log_likelihood(np.round(x), 50, batch_size=8),
    **values,
)
"""


def start(path, **environment):
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(path)],
        env=inherited | environment,
        cwd=pathlib.Path(__file__).parents[2],
    )


@pytest.mark.slow
def test_two_workers_equal_one_device(tmp_path):
    processes = [start(tmp_path / "one.npz")]
    for index, environment in enumerate(loopback.environments()):
        path = tmp_path / f"worker{index}.npz"
        processes.append(start(path, **environment))
    try:
        codes = [process.wait(timeout=400) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0, 0, 0]
    one = np.load(tmp_path / "one.npz")
    for index in range(2):
        worker = np.load(tmp_path / f"worker{index}.npz")
        for name in one.files:
            np.testing.assert_allclose(
                worker[name], one[name], atol=2e-5, rtol=2e-5, err_msg=name
            )
