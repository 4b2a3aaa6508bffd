"""Examples per second of a VQ-VAE's `fit`, against Sonnet's.

    python -m benchmarks.vq_vae_throughput --sonnet-python PYTHON

Both train the network of Sonnet's example on 32x32 colour images, 8x8 codes of
512, in batches of 32, on the CPU. They take turns, and ratios are medians over
the rounds. PYTHON is an interpreter that has dm-sonnet.
"""

import contextlib
import dataclasses
import pathlib
import tempfile
import time

import keras
import numpy as np

from benchmarks import report
from benchmarks import turns
from keras_vae import datasets
from recipes import vq_vae_oord2017
from recipes.environment import environment

WORKER = pathlib.Path(__file__).with_name("sonnet_worker.py")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        sonnet_python: Python interpreter that has dm-sonnet; default: `fit`
            runs alone.
        examples: Training images, of random noise.
        batch_size: Images in a batch.
        rounds: Times that each runs, after one that is not timed.
        steps: Batches in one turn.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    sonnet_python: str | None = None
    examples: int = 4000
    batch_size: int = 32
    rounds: int = 5
    steps: int = 50
    out: str = "runs/vq_vae_throughput.json"
    smoke: bool = False


SMOKE = {"examples": 64, "rounds": 1, "steps": 1}


class Fit:
    """`model.fit` of the recipe's model, many steps in a call as there."""

    def __init__(self, images, batch_size, steps):
        arrays = datasets.Arrays(
            images, None, images[:0], None, images[:1], None
        ).as_float32()
        settings = vq_vae_oord2017.PRESETS["cifar10"]
        self._model = vq_vae_oord2017.build(
            vq_vae_oord2017.Config(**settings), arrays
        )
        self._model.compile(
            keras.optimizers.Adam(settings["learning_rate"]),
            steps_per_execution=steps,
        )
        self._batches = datasets.from_arrays(
            arrays, batch_size=batch_size, repeat=True
        ).train

    def __call__(self, steps):
        started = time.perf_counter()
        history = self._model.fit(
            self._batches, steps_per_epoch=steps, verbose=0
        )
        return time.perf_counter() - started, history.history["loss"][-1]


def measure(config):
    """Returns examples/s and losses by contender, and the peer's versions."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (config.examples, 32, 32, 3), "uint8")
    contenders = {"fit": Fit(images, config.batch_size, config.steps)}
    versions = {}
    with contextlib.ExitStack() as stack:
        if config.sonnet_python:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            path = pathlib.Path(folder) / "images.npy"
            np.save(path, images)
            peer = turns.Peer(
                config.sonnet_python, WORKER, path, str(config.batch_size)
            )
            stack.callback(peer.close)
            contenders["Sonnet"] = peer
            versions = peer.versions
        rates, losses = turns.take_turns(
            contenders,
            config.rounds,
            config.steps,
            config.steps * config.batch_size,
        )
    return rates, losses, versions


def main(config):
    surroundings = environment()
    rates, losses, versions = measure(config)
    surroundings["versions"].update(versions)
    rows = turns.table(rates, losses)
    report.publish(
        rows,
        {
            "config": dataclasses.asdict(config),
            "table": rows,
            "examples_per_second": rates,
            **surroundings,
        },
        config.out,
    )


if __name__ == "__main__":
    main(report.settings(Config, SMOKE, __doc__))
