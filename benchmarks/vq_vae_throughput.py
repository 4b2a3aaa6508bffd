"""Examples per second of a VQ-VAE's `fit`, against Sonnet and PyTorch.

    python -m benchmarks.vq_vae_throughput --sonnet-python PYTHON
        --torch-python PYTHON

All train the network of Sonnet's example on 32x32 colour images, 8x8 codes of
512, in batches of 32, on the CPU: `fit` in float32 and in mixed_bfloat16, for
which some processors have AVX512-BF16; the peers in float32. They take turns,
and ratios are medians over the rounds. PYTHON is an interpreter that has
dm-sonnet, or PyTorch.
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

HERE = pathlib.Path(__file__).parent
WORKERS = {
    "Sonnet": HERE / "sonnet_worker.py",
    "PyTorch": HERE / "torch_vq_vae_worker.py",
}
HALF = "fit, mixed_bfloat16"
MIN_RATIO = 1.3


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        sonnet_python: Python interpreter that has dm-sonnet; default: it is
            left out.
        torch_python: One that has PyTorch; default: as before.
        examples: Training images, of random noise.
        batch_size: Images in a batch.
        rounds: Times that each runs, after one that is not timed.
        steps: Batches in one turn, which are a call of `fit`.
        steps_per_execution: Steps in one call of a compiled function.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    sonnet_python: str | None = None
    torch_python: str | None = None
    examples: int = 4000
    batch_size: int = 32
    rounds: int = 5
    steps: int = 200
    steps_per_execution: int = 50
    out: str = "runs/vq_vae_throughput.json"
    smoke: bool = False


SMOKE = {"examples": 64, "rounds": 1, "steps": 1, "steps_per_execution": 1}


class Fit:
    """`model.fit` of the recipe's model, many steps in a call as there."""

    def __init__(
        self, images, batch_size, steps_per_execution, precision="float32"
    ):
        arrays = datasets.Arrays(
            images, None, images[:0], None, images[:1], None
        ).as_float32()
        settings = vq_vae_oord2017.PRESETS["cifar10"]
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(precision)
        try:
            self._model = vq_vae_oord2017.build(
                vq_vae_oord2017.Config(**settings), arrays
            )
            self._model.build((None, *images.shape[1:]))
        finally:
            keras.config.set_dtype_policy(before)
        self._model.compile(
            keras.optimizers.Adam(settings["learning_rate"]),
            steps_per_execution=steps_per_execution,
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
    """Returns examples/s and losses by contender, and the peers' versions."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (config.examples, 32, 32, 3), "uint8")
    arguments = (images, config.batch_size, config.steps_per_execution)
    contenders = {
        "fit": Fit(*arguments),
        HALF: Fit(*arguments, "mixed_bfloat16"),
    }
    pythons = {"Sonnet": config.sonnet_python, "PyTorch": config.torch_python}
    versions = {}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        path = pathlib.Path(folder) / "images.npy"
        np.save(path, images)
        for name, python in pythons.items():
            if not python:
                continue
            peer = turns.Peer(
                python, WORKERS[name], path, str(config.batch_size)
            )
            stack.callback(peer.close)
            contenders[name] = peer
            versions |= peer.versions
        rates, losses = turns.take_turns(
            contenders,
            config.rounds,
            config.steps,
            config.steps * config.batch_size,
        )
    return rates, losses, versions


def main(config):
    """Returns whether the goal is met, as far as there is that peer."""
    rates, losses, versions = measure(config)
    goals = []
    if "PyTorch" in rates:
        goals.append(
            report.goal(
                "conv VQ-VAE, fit in mixed_bfloat16 / PyTorch in float32",
                turns.ratio(rates, HALF, "PyTorch"),
                at_least=MIN_RATIO,
            )
        )
    return report.finish(
        config,
        turns.table(rates, losses),
        config.out,
        goals,
        examples_per_second=rates,
        versions=versions,
    )


if __name__ == "__main__":
    raise SystemExit(int(not main(report.settings(Config, SMOKE, __doc__))))
