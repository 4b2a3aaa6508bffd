"""Seconds to sample from a diffusion model, against loops in Python.

    python -m benchmarks.diffusion_sampling

`DiffusionModel.sample` runs all steps in one compiled loop. The naive samplers
are what is often written: a loop in Python that calls the network, eagerly or
compiled, and does the arithmetic of a step in TensorFlow's eager mode. The
network is that of the recipe for digits; weights are untrained.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from benchmarks import report
from benchmarks import turns
from benchmarks.subjects.diffusion import DiffusionModel
from keras_vae import schedules

METHODS = ("ancestral", "ddim")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        num: Samples that are drawn side by side.
        ancestral_steps: Levels, all of which ancestral sampling visits.
        ddim_steps: Levels that DDIM visits.
        filters: Of the network's convolutions at full size.
        rounds: Times that each runs, after one that is not timed.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    num: int = 16
    ancestral_steps: int = 200
    ddim_steps: int = 50
    filters: int = 32
    rounds: int = 5
    out: str = "runs/diffusion_sampling.json"
    smoke: bool = False


SMOKE = {
    "num": 2,
    "ancestral_steps": 4,
    "ddim_steps": 2,
    "filters": 8,
    "rounds": 1,
}


class NaiveSampler:
    """A loop in Python around the network.

    Args:
        model: `keras_vae.DiffusionModel` that predicts noise.
        compiled: bool, whether the network is a `tf.function`.
    """

    def __init__(self, model, compiled):
        def network(x, t):
            return model.network([x, t], training=False)

        self._network = tf.function(network) if compiled else network
        self._shape = model.event_shape
        self._steps = model.num_steps
        beta = schedules.get_noise("linear").betas(self._steps)
        self._signal = np.cumprod(np.concatenate([[1.0], 1.0 - beta]))

    def __call__(self, num, method, num_steps, seed):
        generator = tf.random.Generator.from_seed(seed)
        x = generator.normal([num, *self._shape])
        visited = np.linspace(self._steps, 1, num_steps).round().astype(int)
        for t, s in zip(visited, [*visited[1:], 0], strict=True):
            now, then = self._signal[t], self._signal[s]
            noise = self._network(x, tf.fill([num], float(t) / self._steps))
            clean = (x - np.sqrt(1.0 - now) * noise) / np.sqrt(now)
            clean = tf.clip_by_value(clean, -1.0, 1.0)
            ratio = now / then
            if method == "ddim":
                noise = (x - np.sqrt(now) * clean) / np.sqrt(1.0 - now)
                x = np.sqrt(then) * clean + np.sqrt(1.0 - then) * noise
                continue
            x = np.sqrt(ratio) * (1.0 - then) * x
            x += np.sqrt(then) * (1.0 - ratio) * clean
            x /= 1.0 - now
            if s:
                noise = generator.normal(tf.shape(x))
                x += np.sqrt(1.0 - ratio) * noise
        return tf.clip_by_value(0.5 * x + 0.5, 0.0, 1.0)


def contenders(config, method):
    """Callables from a number of runs to (seconds, mean of the samples)."""
    keras.utils.set_random_seed(0)
    subject = DiffusionModel(
        num_steps=config.ancestral_steps, filters=config.filters
    )
    model = subject.model()
    steps = getattr(config, f"{method}_steps")

    def ours(num, method, num_steps, seed):
        return model.sample(num, seed, num_steps, method)

    def timed(sample):
        def draw(repeats):
            for seed in range(repeats):
                x = np.asarray(sample(config.num, method, steps, seed))
            return x.mean()

        return turns.timed(draw)

    return {
        "sample": timed(ours),
        "Python loop, compiled network": timed(NaiveSampler(model, True)),
        "Python loop, eager": timed(NaiveSampler(model, False)),
    }


def main(config):
    """Returns True: there is no goal."""
    rows, rates = [], {}
    for method in METHODS:
        rates[method], means = turns.take_turns(
            contenders(config, method),
            config.rounds,
            1,
            getattr(config, f"{method}_steps"),
            "steps/s",
        )
        for row in turns.table(rates[method], means, "sample", "steps/s"):
            row["mean pixel"] = row.pop("loss")
            rows.append({"method": method, **row})
    return report.finish(config, rows, config.out, steps_per_second=rates)


if __name__ == "__main__":
    main(report.settings(Config, SMOKE, __doc__))
