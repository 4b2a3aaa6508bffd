"""Examples per second of `fit`, against a hand-written loop and peers.

    python -m benchmarks.train_throughput --model vae --pythae-python PYTHON

Every model of the library, in the sizes of its recipe. The hand-written loop
has the same `tf.data` pipeline, batch, dtype, steps per call, optimizer and
metrics as `fit`, in one `tf.function`; it runs with and without XLA, unless one
of them takes more than twice the time of the other, and the better of the two
counts. They take turns, and ratios are medians over the rounds, since the speed
of a machine drifts: run it on a quiet one, or two at once with a core each
(`taskset -c 0 python ...`).

The peers of the dense VAE (784-512-512-50, Bernoulli, Adam), pythae's in its
own trainer and a plain PyTorch loop, run in float32 on the CPU in a process of
their own, where they are installed.
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

from benchmarks import images
from benchmarks import report
from benchmarks import turns
from benchmarks.hand_written_loop import HandWrittenLoop
from benchmarks.subjects import SUBJECTS
from keras_vae import datasets
from recipes.data import steps_at_once

MODELS = ("all", *SUBJECTS)
LOOPS = {"loop, XLA": True, "loop, no XLA": False}
PEERS = ("pythae", "torch")
WORKER = pathlib.Path(__file__).with_name("torch_worker.py")
# A hand-written loop that takes so many times as long takes no turns.
HOPELESS = 2.0
MIN_RATIO = 0.95
# Of `fit` to pythae in float32, by the precision of `fit`.
MIN_PYTHAE_RATIO = {"float32": 1.2, "mixed_bfloat16": 1.5}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        model: What is trained; all: one after the other, each with a file
            <out>-<model>.json.
        data: random: the model's own, made on the spot; or a name that
            `keras_vae.datasets.load` knows, such as mnist, for the models of
            images of its size.
        data_dir: Folder of .npz files.
        examples: Training examples of one epoch; default: the model's own.
        batch_size: Examples in a batch; default: the model's own.
        steps_per_execution: Steps in one call of a compiled function, at most;
            as many as in the recipes.
        rounds: Times that each contender runs, after one that is not timed.
        seconds: About how long a turn of `fit` is.
        epochs: Passes over the examples in one turn; default: as many as take
            so long.
        precision: Keras dtype policy of both.
        pythae_python: Python interpreter that has pythae, or PyTorch alone;
            default: this one.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    model: Literal[MODELS] = "vae"
    data: str = "random"
    data_dir: str | None = None
    examples: int | None = None
    batch_size: int | None = None
    steps_per_execution: int = 100
    rounds: int = 5
    seconds: float = 4.0
    epochs: int | None = None
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    pythae_python: str | None = None
    out: str = "runs/train_throughput.json"
    smoke: bool = False


SMOKE = {
    "examples": 30,
    "batch_size": 12,
    "rounds": 1,
    "steps_per_execution": 2,
    "epochs": 1,
}


# === Contenders: callables from a number of epochs to (seconds, loss) ===


class Fit:
    """`model.fit`, as the recipes call it."""

    def __init__(self, subject, splits, steps_per_execution):
        self._splits = splits
        self._model = subject.model()
        self._model.compile(
            subject.optimizer(),
            steps_per_execution=steps_at_once(splits, steps_per_execution),
        )

    def __call__(self, epochs):
        started = time.perf_counter()
        history = self._model.fit(
            self._splits.train,
            steps_per_epoch=self._splits.steps_per_epoch,
            epochs=epochs,
            verbose=0,
        )
        return time.perf_counter() - started, history.history["loss"][-1]


class Loop:
    """The hand-written loop."""

    def __init__(self, subject, splits, steps_per_execution, jit_compile):
        self._splits = splits
        self._loop = HandWrittenLoop(
            subject.objective(),
            steps_at_once(splits, steps_per_execution),
            jit_compile,
        )

    def __call__(self, epochs):
        started = time.perf_counter()
        loss = self._loop.train(
            self._splits.train, self._splits.steps_per_epoch, epochs
        )
        return time.perf_counter() - started, loss


def endless(arrays, batch_size, steps_per_call):
    """`datasets.Splits` whose epochs are whole calls, if they can be.

    Args:
        arrays: `datasets.Arrays`.
        batch_size: int.
        steps_per_call: int.
    """
    num, call = len(arrays.x_train), batch_size * steps_per_call
    if num > call:
        x_train = arrays.x_train[: num - num % call]
        arrays = dataclasses.replace(arrays, x_train=x_train)
    return datasets.from_arrays(arrays, batch_size=batch_size, repeat=True)


def installed(python, names=PEERS):
    """Those of the packages that this interpreter can import."""
    code = (
        "from importlib.util import find_spec;"
        f"print(*[name for name in {tuple(names)} if find_spec(name)])"
    )
    return subprocess.check_output([python, "-c", code], text=True).split()


# === Measurement ===


def measure(config):
    """Returns examples/s and losses by contender, and the peers' versions."""
    subject = SUBJECTS[config.model]()
    with contextlib.ExitStack() as stack:
        arrays = _arrays(config, subject, stack)
        splits = endless(
            arrays,
            config.batch_size or subject.sizes.batch_size,
            config.steps_per_execution,
        )
        contenders = {"fit": Fit(subject, splits, config.steps_per_execution)}
        contenders |= _loops(subject, splits, config.steps_per_execution)
        versions = {}
        if config.model == "vae":
            x = arrays.x_train[: splits.sizes["train"]]
            for name, peer in _peers(config, x, stack).items():
                contenders[name] = peer
                versions.update(peer.versions)
        epochs = config.epochs
        if epochs is None:
            epochs = turns.amount_of(contenders["fit"], config.seconds)
        rates, losses = turns.take_turns(
            contenders, config.rounds, epochs, epochs * splits.sizes["train"]
        )
    return rates, losses, versions


def _loops(subject, splits, steps_per_execution):
    """Hand-written loops by name, without one that is hopelessly slow."""
    loops, seconds = {}, {}
    for name, jit_compile in LOOPS.items():
        loop = Loop(subject, splits, steps_per_execution, jit_compile)
        loops[name] = loop
        # The first time it is compiled.
        loop(1)
        seconds[name], _ = loop(1)
    fastest = min(seconds.values())
    return {
        name: loop
        for name, loop in loops.items()
        if seconds[name] <= HOPELESS * fastest
    }


def _arrays(config, subject, stack):
    if config.data == "random":
        return subject.arrays(config.examples or subject.examples)
    folder = stack.enter_context(
        images.folder(config.data, config.data_dir, config.examples, 1)
    )
    arrays = datasets.load_arrays(config.data, folder, 0)
    if arrays.x_train.shape[1:] != subject.event_shape:
        raise ValueError(
            f"{config.model} is measured on examples of shape "
            f"{subject.event_shape}. Received: data={config.data!r}, examples "
            f"of shape {arrays.x_train.shape[1:]}"
        )
    return arrays


def _peers(config, x, stack):
    """Peers by name, for these images, that end with the stack."""
    path = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    np.save(path / "images.npy", x)
    python = config.pythae_python or sys.executable
    names = installed(python)
    if config.pythae_python and not names:
        raise ValueError(
            f"`pythae_python` must have one of {PEERS}. "
            f"Received: pythae_python={config.pythae_python!r}"
        )
    batch_size = config.batch_size or SUBJECTS["vae"].defaults.batch_size
    peers = {}
    for name in names:
        peers[name] = turns.Peer(
            python, WORKER, name, path / "images.npy", str(batch_size)
        )
        stack.callback(peers[name].close)
    return peers


def main(config):
    """Returns whether all goals are met."""
    if config.model != "all":
        return _one(config)
    out = pathlib.Path(config.out)
    met = []
    for model in SUBJECTS:
        path = out.with_stem(f"{out.stem}-{model}")
        met.append(
            _one(dataclasses.replace(config, model=model, out=str(path)))
        )
        keras.backend.clear_session()
    return all(met)


def _one(config):
    print(f"{config.model}, {config.precision}\n")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        rates, losses, versions = measure(config)
    finally:
        keras.config.set_dtype_policy(before)
    loops = [name for name in LOOPS if name in rates]
    best = max(loops, key=lambda name: statistics.median(rates[name]))
    print(f"The hand-written loop is the better one: {best}.\n")
    goals = [
        report.goal(
            f"fit / hand-written loop, {config.model}, {config.precision}",
            turns.ratio(rates, "fit", best),
            at_least=MIN_RATIO,
        )
    ]
    if "pythae" in rates:
        goals.append(
            report.goal(
                f"fit in {config.precision} / pythae in float32, dense VAE",
                turns.ratio(rates, "fit", "pythae"),
                at_least=MIN_PYTHAE_RATIO[config.precision],
            )
        )
    return report.finish(
        config,
        turns.table(rates, losses),
        config.out,
        goals,
        hand_written_loop=best,
        examples_per_second=rates,
        versions=versions,
    )


if __name__ == "__main__":
    raise SystemExit(int(not main(report.settings(Config, SMOKE, __doc__))))
