"""How long functions take, side by side."""

import time

import numpy as np


def median_seconds(functions, rounds):
    """Median seconds of each function, called in turn.

    Args:
        functions: list of callables without arguments, whose results NumPy can
            read.
        rounds: int >= 1, calls of each that are timed; one before is not, in
            which TensorFlow traces.
    """
    seconds = [[] for _ in functions]
    for _ in range(rounds + 1):
        for function, taken in zip(functions, seconds, strict=True):
            started = time.perf_counter()
            np.asarray(function())
            taken.append(time.perf_counter() - started)
    return [float(np.median(taken[1:])) for taken in seconds]
