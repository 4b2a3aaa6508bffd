"""Resident memory of a long `fit`: what a step leaves behind, and the peak.

    python -m benchmarks.resident_memory

The dense VAE, in a fresh process for each contender. Memory is read after
garbage collection, from step 1000 to step 5000; the slope is that of least
squares. A fit that reads its logs after every step and one with many steps in a
call are beside the hand-written loop.
"""

import dataclasses
import gc
import os
import resource

import numpy as np

from benchmarks import report
from benchmarks.fresh_process import in_fresh_process

FIT, MANY, LOOP = "fit", "fit, 25 steps in a call", "hand-written loop"
MAX_BYTES = 1024.0


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        first: Steps before memory is read.
        last: Steps in all.
        every: Steps between two readings.
        batch_size: Images in a batch.
        units: Widths of the encoder, and of the decoder.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    first: int = 1000
    last: int = 5000
    every: int = 100
    batch_size: int = 32
    units: tuple[int, ...] = (128, 128)
    out: str = "runs/resident_memory.json"
    smoke: bool = False


SMOKE = {"first": 50, "last": 200, "every": 50, "units": (8, 8)}


def resident():
    """Bytes of this process, after garbage collection."""
    gc.collect()
    with open("/proc/self/statm") as numbers:
        pages = int(numbers.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def readings(config, contender):
    """Returns ([(step, bytes)], peak in bytes) of this process."""
    # Here, not above: a process starts with the peak of the one it comes from.
    from benchmarks.subjects.vae import DenseVAE
    from benchmarks.train_throughput import Fit
    from benchmarks.train_throughput import Loop
    from benchmarks.train_throughput import endless

    subject = DenseVAE(units=config.units)
    # An epoch is what lies between two readings.
    arrays = subject.arrays(config.every * config.batch_size)
    splits = endless(arrays, config.batch_size, config.every)
    if contender == LOOP:
        train = Loop(subject, splits, 25, jit_compile=False)
    else:
        train = Fit(subject, splits, 25 if contender == MANY else 1)
    found = []
    for step in range(config.every, config.last + 1, config.every):
        train(1)
        if step >= config.first:
            found.append((step, resident()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found, 1024 * peak


def slope(found):
    """Bytes per step, by least squares."""
    steps, bytes_ = np.transpose(np.asarray(found, "float64"))
    return float(np.polyfit(steps, bytes_, 1)[0])


def main(config):
    """Returns whether the goals are met."""
    rows, goals, kept = [], [], {}
    for contender in (FIT, MANY, LOOP):
        found, peak = in_fresh_process(readings, config, contender)
        kept[contender] = found
        bytes_ = slope(found)
        rows.append(
            {
                "contender": contender,
                "bytes per step": round(bytes_),
                "resident MB": round(found[-1][1] / 2**20),
                "peak MB": round(peak / 2**20),
            }
        )
        if contender != LOOP:
            goals.append(
                report.goal(
                    f"bytes per step, steps {config.first} to {config.last}, "
                    f"{contender}",
                    bytes_,
                    at_most=MAX_BYTES,
                )
            )
    return report.finish(config, rows, config.out, goals, resident=kept)


if __name__ == "__main__":
    raise SystemExit(int(not main(report.settings(Config, SMOKE, __doc__))))
