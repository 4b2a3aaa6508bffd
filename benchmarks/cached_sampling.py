"""Seconds to sample codes: cached against naive, the same network and seed.

    python -m benchmarks.cached_sampling

`PixelSNAIL.sample` computes each position once, from what earlier positions
left. The naive sampler runs the whole network for each position, in one
compiled loop, and draws with the same noise. Both draw the same codes, or the
exit status is 1; it is too where the faster of the cached loops, with and
without XLA, is not 20 times as fast. Weights are untrained, which changes
nothing here. Time to trace and compile is not counted.
"""

import dataclasses
import math
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

import keras_vae
from benchmarks import report
from keras_vae import random

MIN_RATIO = 20


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        size: Height and width of the arrays of codes.
        num_embeddings: Number of codes.
        num: Samples that are drawn side by side.
        filters: Of all convolutions.
        num_blocks: Of residual units and attention.
        num_residual: Residual units in each block.
        num_heads: Of attention.
        rounds: Times that the cached loops run, after one that is not timed.
        positions: Positions that the naive sampler is timed on, for networks
            where all of them take too long; 0: all.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    size: int = 32
    num_embeddings: int = 128
    num: int = 1
    filters: int = 32
    num_blocks: int = 1
    num_residual: int = 2
    num_heads: int = 8
    rounds: int = 3
    positions: int = 0
    out: str = "runs/cached_sampling.json"
    smoke: bool = False


SMOKE = {"size": 3, "filters": 4, "num_residual": 1, "rounds": 1}


class NaiveSampler:
    """Draws codes with the whole network at each position.

    Args:
        model: `keras_vae.PixelSNAIL` of codes.
        num: int, number of samples.
    """

    def __init__(self, model, num):
        self._model = model
        self._num = num
        self._loop = tf.function(self._sample, autograph=False)

    def __call__(self, seed, positions=None, temperature=1.0):
        """Codes (num, height, width); zeros from `positions` on, if given."""
        if positions is None:
            positions = math.prod(self._model.shape)
        return self._loop(random.as_seed(seed), positions, temperature)

    def _sample(self, seed, positions, temperature):
        height, width = self._model.shape

        def step(index, codes):
            row, column = index // width, index % width
            logits = self._model(codes)[:, row, column]
            drawn = self._model.draw(logits, seed, index, temperature)
            here = tf.one_hot(index, height * width, dtype="int32")
            here = tf.reshape(here, [height, width])
            return index + 1, codes + drawn[:, tf.newaxis, tf.newaxis] * here

        start = tf.zeros([self._num, height, width], "int32")
        return tf.while_loop(
            lambda index, _: index < positions, step, [tf.constant(0), start]
        )[1]


def timed(function):
    """(result, seconds)."""
    started = time.perf_counter()
    result = np.asarray(function())
    return result, time.perf_counter() - started


def measure(config):
    """Returns seconds by contender, and whether all drew the same codes."""
    keras.utils.set_random_seed(0)
    model = keras_vae.PixelSNAIL(
        (config.size, config.size),
        config.num_embeddings,
        config.num_heads,
        filters=config.filters,
        num_blocks=config.num_blocks,
        num_residual=config.num_residual,
    )
    all_positions = config.size**2
    positions = config.positions or all_positions
    naive = NaiveSampler(model, config.num)
    naive(0, 1)

    def cached(jit_compile):
        return model.sample(config.num, seed=0, jit_compile=jit_compile)

    loops = {"cached, XLA": True, "cached, no XLA": False}
    times, codes = {name: [] for name in loops}, {}
    for name, jit_compile in loops.items():
        codes[name] = np.asarray(cached(jit_compile))
    expected, seconds = timed(lambda: naive(0, positions))
    for _ in range(config.rounds):
        for name, jit_compile in loops.items():
            times[name].append(timed(lambda: cached(jit_compile))[1])

    def first(array):
        return array.reshape(config.num, -1)[:, :positions]

    identical = all(
        np.array_equal(first(array), first(expected))
        for array in codes.values()
    )
    medians = {
        name: statistics.median(values) for name, values in times.items()
    }
    return {"naive": seconds * all_positions / positions, **medians}, identical


def table(seconds, positions):
    """Rows of the printed table."""
    return [
        {
            "sampler": name,
            "seconds": f"{value:.2f}",
            "ms / position": f"{1000 * value / positions:.2f}",
            "times as fast": f"{seconds['naive'] / value:.1f}",
        }
        for name, value in seconds.items()
    ]


def main(config):
    """Returns whether the codes were identical and the ratio is reached."""
    seconds, identical = measure(config)
    ratio = seconds["naive"] / min(
        value for name, value in seconds.items() if name != "naive"
    )
    goals = [
        report.goal(
            "naive / cached sampling of codes, seconds",
            ratio,
            at_least=MIN_RATIO,
        ),
        report.goal(
            "samplers that draw the codes of the naive one, part",
            float(identical),
            at_least=1.0,
        ),
    ]
    if config.positions:
        print(f"The naive sampler was timed on {config.positions} positions.")
    return report.finish(
        config,
        table(seconds, config.size**2),
        config.out,
        goals,
        seconds=seconds,
    )


if __name__ == "__main__":
    raise SystemExit(int(not main(report.settings(Config, SMOKE, __doc__))))
