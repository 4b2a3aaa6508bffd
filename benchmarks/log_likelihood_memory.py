"""Peak memory of `log_likelihood`, at few and at many samples.

    python -m benchmarks.log_likelihood_memory

Each number of samples runs in a fresh process, on test images of MNIST's
shape and a dense VAE (784-512-512-50, Bernoulli); weights are untrained, which
changes nothing here. Samples are streamed: the peak must not grow with them,
and the exit status is 1 where it does.
"""

import dataclasses
import resource
import time

from benchmarks import images
from benchmarks import report
from benchmarks.fresh_process import in_fresh_process

# Above this the samples are not streamed.
MAX_DIFFERENCE_MB = 300


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        data: random: binary noise of MNIST's shape, made on the spot; or a
            name that `keras_vae.datasets.load` knows, such as mnist.
        data_dir: Folder of .npz files.
        examples: Test images.
        num_samples: Importance samples of each image, few and many.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    data: str = "random"
    data_dir: str | None = None
    examples: int = 1000
    num_samples: tuple[int, int] = (50, 5000)
    out: str = "runs/log_likelihood_memory.json"
    smoke: bool = False


SMOKE = {"examples": 20, "num_samples": (2, 20)}


def measure(config, folder, num_samples):
    """Returns (peak resident MB, seconds) of this process."""
    # Here, not above: a process starts with the peak of the one it comes from.
    from benchmarks.subjects.vae import DenseVAE
    from keras_vae import datasets

    arrays = datasets.load_arrays(config.data, folder)
    x = datasets.binarize(arrays.x_test[: config.examples] / arrays.pixel_max)
    model = DenseVAE(x.shape[1:]).model()
    started = time.perf_counter()
    model.log_likelihood(x, num_samples, verbose=0)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024, seconds


def main(config):
    """Returns whether the peak does not grow with the samples."""
    rows, peaks = [], []
    with images.folder(
        config.data, config.data_dir, 10, config.examples
    ) as folder:
        for num_samples in config.num_samples:
            peak, seconds = in_fresh_process(
                measure, config, folder, num_samples
            )
            peaks.append(peak)
            rows.append(
                {
                    "samples": num_samples,
                    "peak MB": round(peak),
                    "seconds": round(seconds, 1),
                }
            )
    growth = report.goal(
        "log_likelihood, many samples - few, peak MB",
        peaks[1] - peaks[0],
        at_most=MAX_DIFFERENCE_MB,
    )
    return report.finish(config, rows, config.out, [growth])


if __name__ == "__main__":
    raise SystemExit(int(not main(report.settings(Config, SMOKE, __doc__))))
