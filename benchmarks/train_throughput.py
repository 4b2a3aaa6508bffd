"""Examples per second of `fit`, against a hand-written loop and peers.

    python -m benchmarks.train_throughput --pythae-python PYTHON

All train a dense VAE (784-512-512-50, Bernoulli, Adam) on the same images; or,
with `--model td_vae`, the TD-VAE of its recipe on moving digits, without peers.
The hand-written loop has the same `tf.data` pipeline, batch, dtype, steps per
call and metrics as `fit`, in one `tf.function`; it runs with and without XLA,
and the better of the two counts. They take turns, and ratios are medians over
the rounds, since the speed of a machine drifts: run it on a quiet one.

The peers, pythae's VAE in its own trainer and a plain PyTorch loop, run on the
CPU in a process of their own, where they are installed.
"""

import contextlib
import dataclasses
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Literal

import keras
import numpy as np

from benchmarks import dense_vae
from benchmarks import images
from benchmarks import report
from benchmarks import td_vae
from benchmarks import turns
from benchmarks.hand_written_loop import HandWrittenLoop
from keras_vae import datasets
from recipes.environment import environment

MODELS = {"vae": dense_vae, "td_vae": td_vae}
LOOPS = {"loop, XLA": True, "loop, no XLA": False}
PEERS = ("pythae", "torch")
WORKER = pathlib.Path(__file__).with_name("torch_worker.py")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        model: What is trained.
        data: random: binary noise of MNIST's shape, made on the spot; or a
            name that `keras_vae.datasets.load` knows, such as mnist.
        data_dir: Folder of .npz files.
        examples: Training images of the random set, or videos.
        batch_size: Images in a batch.
        steps_per_execution: Steps in one call of a compiled function.
        rounds: Times that each contender runs, after one that is not timed.
        epochs: Passes over the images in one run.
        pythae_python: Python interpreter that has pythae, or PyTorch alone;
            default: this one.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    model: Literal["vae", "td_vae"] = "vae"
    data: str = "random"
    data_dir: str | None = None
    examples: int = 60_000
    batch_size: int = 128
    steps_per_execution: int = 25
    rounds: int = 5
    epochs: int = 2
    pythae_python: str | None = None
    out: str = "runs/train_throughput.json"
    smoke: bool = False


SMOKE = {"examples": 300, "rounds": 1, "steps_per_execution": 2, "epochs": 1}


# === Contenders: callables from a number of epochs to (seconds, loss) ===


class Fit:
    """`model.fit`, as a user calls it."""

    def __init__(self, subject, splits, steps_per_execution):
        self._splits = splits
        self._model = subject.model_for(splits.event_shape)
        self._model.compile(
            keras.optimizers.Adam(subject.LEARNING_RATE),
            steps_per_execution=steps_per_execution,
        )

    def __call__(self, epochs):
        started = time.perf_counter()
        history = self._model.fit(self._splits.train, epochs=epochs, verbose=0)
        return time.perf_counter() - started, history.history["loss"][-1]


class Loop:
    """The hand-written loop."""

    def __init__(self, subject, splits, steps_per_execution, jit_compile):
        self._splits = splits
        self._loop = HandWrittenLoop(
            subject.Objective(splits.event_shape),
            steps_per_execution,
            jit_compile,
        )

    def __call__(self, epochs):
        started = time.perf_counter()
        loss = self._loop.train(
            self._splits.train, self._splits.steps_per_epoch, epochs
        )
        return time.perf_counter() - started, loss


def installed(python):
    """Names of the peers that this interpreter can import."""
    code = (
        "from importlib.util import find_spec;"
        f"print(*[name for name in {PEERS} if find_spec(name)])"
    )
    return subprocess.check_output([python, "-c", code], text=True).split()


# === Measurement ===


def measure(config):
    """Returns examples/s and losses by contender, and the peers' versions."""
    subject = MODELS[config.model]
    with contextlib.ExitStack() as stack:
        if config.model == "td_vae":
            arrays = td_vae.arrays(config.examples)
        else:
            folder = stack.enter_context(
                images.folder(config.data, config.data_dir, config.examples, 1)
            )
            arrays = datasets.load_arrays(config.data, folder, 0)
        splits = datasets.from_arrays(arrays, batch_size=config.batch_size)
        contenders = {"fit": Fit(subject, splits, config.steps_per_execution)}
        for name, jit_compile in LOOPS.items():
            contenders[name] = Loop(
                subject, splits, config.steps_per_execution, jit_compile
            )
        versions = {}
        if config.model == "vae":
            for name, peer in _peers(config, arrays, stack).items():
                contenders[name] = peer
                versions.update(peer.versions)
        examples = config.epochs * splits.sizes["train"]
        rates, losses = turns.take_turns(
            contenders, config.rounds, config.epochs, examples
        )
    return rates, losses, versions


def _peers(config, arrays, stack):
    """Peers by name, that end with the stack."""
    path = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    np.save(path / "images.npy", arrays.x_train)
    python = config.pythae_python or sys.executable
    names = installed(python)
    if config.pythae_python and not names:
        raise ValueError(
            f"`pythae_python` must have one of {PEERS}. "
            f"Received: pythae_python={config.pythae_python!r}"
        )
    peers = {}
    for name in names:
        peers[name] = turns.Peer(
            python, WORKER, name, path / "images.npy", str(config.batch_size)
        )
        stack.callback(peers[name].close)
    return peers


def main(config):
    surroundings = environment()
    rates, losses, versions = measure(config)
    surroundings["versions"].update(versions)
    rows = turns.table(rates, losses)
    best = max(LOOPS, key=lambda name: statistics.median(rates[name]))
    print(f"The hand-written loop is the better one: {best}.\n")
    report.publish(
        rows,
        {
            "config": dataclasses.asdict(config),
            "hand_written_loop": best,
            "table": rows,
            "examples_per_second": rates,
            **surroundings,
        },
        config.out,
    )


if __name__ == "__main__":
    main(report.settings(Config, SMOKE, __doc__))
