"""How cost grows with sizes, one size at a time.

    python -m benchmarks.scaling

Milliseconds of a training step by batch size and by latent size (dense VAE), by
the side of the image (convolutional VAE) and by the size of the codebook
(VQ-VAE); of `log_likelihood` of ten images by the number of importance samples.
Medians; the figure beside the JSON file has both axes in powers.
"""

import dataclasses
import pathlib
import statistics
import time

import keras
import numpy as np

from benchmarks import report
from benchmarks.subjects import SUBJECTS
from benchmarks.train_throughput import Fit
from benchmarks.train_throughput import endless
from keras_vae import visualization


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        batch: Batch sizes.
        latent: Sizes of the code.
        side: Heights and widths of the image.
        codebook: Sizes of the codebook.
        samples: Numbers of importance samples.
        steps: Training steps in one run.
        rounds: Runs of each size, after one that is not timed.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    batch: tuple[int, ...] = (16, 64, 256, 1024, 4096)
    latent: tuple[int, ...] = (2, 8, 32, 128, 512)
    side: tuple[int, ...] = (8, 16, 32, 64)
    codebook: tuple[int, ...] = (32, 128, 512, 2048, 8192)
    samples: tuple[int, ...] = (10, 100, 1000, 10000)
    steps: int = 10
    rounds: int = 5
    out: str = "runs/scaling.json"
    smoke: bool = False


SMOKE = {
    "batch": (2, 4),
    "latent": (2,),
    "side": (8,),
    "codebook": (8,),
    "samples": (2, 4),
    "steps": 1,
    "rounds": 1,
}


def step_seconds(config, name, **sizes):
    """Seconds of a training step of a subject."""
    subject = SUBJECTS[name](**sizes)
    batch = subject.sizes.batch_size
    arrays = subject.arrays(batch * config.steps)
    fit = Fit(subject, endless(arrays, batch, config.steps), config.steps)
    return _median(config.rounds, lambda: fit(1)) / config.steps


def likelihood_seconds(config, num_samples):
    """Seconds of `log_likelihood` of ten images."""
    subject = SUBJECTS["vae"]()
    x = subject.arrays(10).as_float32().x_train
    model = subject.model()

    def run():
        model.log_likelihood(x, num_samples, verbose=0)

    return _median(config.rounds, run)


def _median(rounds, run):
    run()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def measurements(config):
    """Callables from a size to seconds, by what the size is of."""
    return {
        "batch": lambda n: step_seconds(config, "vae", batch_size=n),
        "latent": lambda n: step_seconds(config, "vae", latent_dim=n),
        "side": lambda n: step_seconds(
            config, "conv_vae", event_shape=(n, n, 1), batch_size=32
        ),
        "codebook": lambda n: step_seconds(
            config, "vq_vae", num_embeddings=n, batch_size=32
        ),
        "samples": lambda n: likelihood_seconds(config, n),
    }


LABELS = {
    "batch": "batch size, dense VAE",
    "latent": "latent size, dense VAE",
    "side": "side of the image, convolutional VAE",
    "codebook": "size of the codebook, VQ-VAE",
    "samples": "importance samples, log_likelihood",
}


def plot(seconds):
    """Figure of seconds by size, a line for each kind of size."""
    from matplotlib.figure import Figure

    figure = Figure((6.0, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, points in seconds.items():
        sizes, values = zip(*points)
        axes.plot(
            sizes,
            [1000 * value for value in values],
            "o-",
            markersize=4,
            label=LABELS[name],
        )
    axes.set(xscale="log", yscale="log", xlabel="size", ylabel="milliseconds")
    axes.legend(fontsize=8)
    return figure


def exponent(points):
    """The power of the size that seconds grow with, between the last two."""
    if len(points) < 2:
        return float("nan")
    (low, before), (high, after) = points[-2:]
    return float(np.log(after / before) / np.log(high / low))


def main(config):
    """Returns True: there is no goal."""
    seconds = {}
    for name, measure in measurements(config).items():
        seconds[name] = []
        for size in getattr(config, name):
            seconds[name].append((size, measure(size)))
            keras.backend.clear_session()
    rows = [
        {
            "size": LABELS[name],
            "from": points[0][0],
            "ms": f"{1000 * points[0][1]:.3g}",
            "to": points[-1][0],
            "ms there": f"{1000 * points[-1][1]:.3g}",
            "last exponent": f"{exponent(points):.2f}",
        }
        for name, points in seconds.items()
    ]
    figure = pathlib.Path(config.out).with_suffix(".png")
    visualization.save_figure(plot(seconds), figure)
    return report.finish(
        config, rows, config.out, seconds=seconds, figure=figure.name
    )


if __name__ == "__main__":
    main(report.settings(Config, SMOKE, __doc__))
