"""Images times samples per second of `log_likelihood`, against pythae.

    python -m benchmarks.log_likelihood --pythae-python PYTHON

The dense VAE (784-512-512-50, Bernoulli) with untrained weights, which changes
nothing here. The peer is pythae's `get_nll`, in float32, on the same images and
with as many samples, in a process of its own, where it is installed.
"""

import contextlib
import dataclasses
import pathlib
import sys
import tempfile

import numpy as np

from benchmarks import report
from benchmarks import train_throughput
from benchmarks import turns
from benchmarks.subjects.vae import DenseVAE

MIN_RATIO = 5.0
OURS, PEER = "log_likelihood", "pythae's get_nll"


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        images: Test images, of binary noise.
        num_samples: Importance samples of each image, whole hundreds.
        rounds: Times that each runs, after one that is not timed.
        pythae_python: Python interpreter that has pythae; default: this one.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    images: int = 20
    num_samples: int = 5000
    rounds: int = 5
    pythae_python: str | None = None
    out: str = "runs/log_likelihood.json"
    smoke: bool = False


SMOKE = {"images": 3, "num_samples": 100, "rounds": 1}


def measure(config):
    """Returns rates and means by contender, and the peer's versions."""
    subject = DenseVAE()
    x = subject.arrays(config.images).as_float32().x_train
    model = subject.model()

    def ours(repeats):
        for _ in range(repeats):
            bound = model.log_likelihood(x, config.num_samples, verbose=0)
        return -np.mean(bound)

    contenders, versions = {OURS: turns.timed(ours)}, {}
    python = config.pythae_python or sys.executable
    with contextlib.ExitStack() as stack:
        if train_throughput.installed(python, ["pythae"]):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            path = pathlib.Path(folder) / "images.npy"
            np.save(path, x)
            peer = turns.Peer(
                python,
                train_throughput.WORKER,
                "pythae_nll",
                path,
                str(config.num_samples),
            )
            stack.callback(peer.close)
            contenders[PEER], versions = peer, peer.versions
        rates, losses = turns.take_turns(
            contenders,
            config.rounds,
            1,
            config.images * config.num_samples,
            "samples/s",
        )
    return rates, losses, versions


def main(config):
    """Returns whether the goal is met, as far as there is a peer."""
    rates, losses, versions = measure(config)
    goals = []
    if PEER in rates:
        goals.append(
            report.goal(
                "log_likelihood per image and sample / pythae's get_nll",
                turns.ratio(rates, OURS, PEER),
                at_least=MIN_RATIO,
            )
        )
    return report.finish(
        config,
        turns.table(rates, losses, OURS, "samples/s"),
        config.out,
        goals,
        samples_per_second=rates,
        versions=versions,
    )


if __name__ == "__main__":
    raise SystemExit(int(not main(report.settings(Config, SMOKE, __doc__))))
