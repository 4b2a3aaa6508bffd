"""Seconds that `import keras_vae` takes beyond what it is built on.

    python -m benchmarks.import_time

Fresh processes import TensorFlow, Keras and TensorFlow Probability, then, every
second of them, keras_vae. Medians; the first two are not counted, as files are
read from disk and compiled to bytecode then.
"""

import dataclasses
import os
import statistics
import subprocess
import sys

from benchmarks import report

MAX_SECONDS = 0.3
PROGRAM = """
import sys, time
started = time.perf_counter()
import tensorflow, keras, tensorflow_probability
base = time.perf_counter() - started
if sys.argv[1:]:
    __import__(sys.argv[1])
print(base, time.perf_counter() - started - base)
"""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        rounds: Processes of each kind, after one that is not counted.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    rounds: int = 5
    out: str = "runs/import_time.json"
    smoke: bool = False


SMOKE = {"rounds": 1}


def fresh(*packages):
    """(seconds of the others, seconds of the package) in a new process."""
    # As where a package is installed: with bytecode.
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE"
    }
    printed = subprocess.check_output(
        [sys.executable, "-c", PROGRAM, *packages],
        env={**kept, "TF_CPP_MIN_LOG_LEVEL": "2"},
        text=True,
    )
    base, own = printed.split()[-2:]
    return float(base), float(own)


def main(config):
    """Returns whether the goal is met."""
    without, with_it, own = [], [], []
    for turn in range(-1, config.rounds):
        base, _ = fresh()
        other, beyond = fresh("keras_vae")
        if turn >= 0:
            without.append(base)
            with_it.append(other + beyond)
            own.append(beyond)
    seconds = {
        "TensorFlow, Keras, TensorFlow Probability": without,
        "the same and keras_vae": with_it,
        "keras_vae, in those processes": own,
    }
    rows = [
        {
            "imported": name,
            "seconds, median": f"{statistics.median(values):.2f}",
            "range": f"{min(values):.2f}-{max(values):.2f}",
        }
        for name, values in seconds.items()
    ]
    return report.finish(
        config,
        rows,
        config.out,
        [
            report.goal(
                "import keras_vae beyond TensorFlow, Keras and tfp, seconds",
                statistics.median(own),
                at_most=MAX_SECONDS,
            )
        ],
        seconds=seconds,
    )


if __name__ == "__main__":
    raise SystemExit(int(not main(report.settings(Config, SMOKE, __doc__))))
