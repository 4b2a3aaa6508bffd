"""Vectors per second of `VectorQuantizer`, in training, against a peer.

    python -m benchmarks.quantizer --peer-python PYTHON

Nearest codes, the terms of the objective and a step of the moving averages, for
vectors of normal noise; no gradients. The peer is vector-quantize-pytorch, in
float32, in a process of its own. PYTHON is an interpreter that has it.
"""

import contextlib
import dataclasses
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from benchmarks import report
from benchmarks import turns
from keras_vae import layers

WORKER = pathlib.Path(__file__).with_name("quantizer_worker.py")
OURS, PEER = "VectorQuantizer", "vector-quantize-pytorch"


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        peer_python: Python interpreter that has vector-quantize-pytorch;
            default: the library's runs alone.
        batch_size: Examples.
        positions: Vectors of an example.
        dim: Size of a vector.
        codes: Size of the codebook.
        repeats: Calls in one turn.
        rounds: Times that each runs, after one that is not timed.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    peer_python: str | None = None
    batch_size: int = 128
    positions: int = 64
    dim: int = 64
    codes: int = 512
    repeats: int = 50
    rounds: int = 5
    out: str = "runs/quantizer.json"
    smoke: bool = False


SMOKE = {
    "batch_size": 4,
    "positions": 4,
    "dim": 3,
    "codes": 8,
    "repeats": 2,
    "rounds": 1,
}


def quantizing(z, num_codes):
    """Callable from a number of calls to (seconds, mean squared error)."""
    layer = layers.VectorQuantizer(num_codes, z.shape[-1], seed=0)
    layer.build(z.shape)
    z = tf.constant(z)

    @tf.function
    def quantize():
        z_q = layer.quantize(z, training=True).z_q
        return tf.reduce_mean(tf.math.squared_difference(z, z_q))

    def quantize_often(repeats):
        for _ in range(repeats):
            error = quantize()
        return error

    return turns.timed(quantize_often)


def main(config):
    """Returns True: there is no goal."""
    shape = (config.batch_size, config.positions, config.dim)
    z = np.random.default_rng(0).normal(size=shape).astype("float32")
    contenders, versions = {OURS: quantizing(z, config.codes)}, {}
    with contextlib.ExitStack() as stack:
        if config.peer_python:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            path = pathlib.Path(folder) / "vectors.npy"
            np.save(path, z)
            peer = turns.Peer(
                config.peer_python, WORKER, path, str(config.codes)
            )
            stack.callback(peer.close)
            contenders[PEER], versions = peer, peer.versions
        vectors = config.repeats * config.batch_size * config.positions
        rates, errors = turns.take_turns(
            contenders, config.rounds, config.repeats, vectors, "vectors/s"
        )
    rows = turns.table(rates, errors, OURS, "vectors/s")
    for row in rows:
        row["squared error"] = row.pop("loss")
    return report.finish(
        config,
        rows,
        config.out,
        vectors_per_second=rates,
        versions=versions,
    )


if __name__ == "__main__":
    main(report.settings(Config, SMOKE, __doc__))
