"""Time and memory of the search for the nearest codes.

    python -m benchmarks.nearest_codes

Three contenders take turns on the same vectors and codebook, drawn from
N(0, I): the library's search; the least that any search by a matrix product
must do, a chunked product and the minimum of each row; and the matrix of all
squared distances, then its argmin, as the VQ-VAE of keras.io writes it. That
matrix does not fit a small machine: it is made for a part of the vectors, and
the time is multiplied.

Ratios are medians over the turns, since the speed of a machine drifts.
Seconds of the processors are given too: other jobs disturb them less. Each
peak is measured in a fresh process: memory at its highest, less what is in use
when codebook and vectors exist and one vector has been searched. It needs
Linux.
"""

import dataclasses
import pathlib
import re
import statistics
import time

from benchmarks import report
from benchmarks.fresh_process import in_fresh_process

SEARCH, PRODUCT, MATRIX = "nearest_codes", "product, row minimum", "full matrix"

# What the search must keep: time over the product's, the matrix's time over
# its own, and MB beyond inputs and outputs.
LIMITS = {PRODUCT: 1.3, MATRIX: 4.0, "peak_mb": 300}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        vectors: Vectors to search for.
        codes: Codes in the codebook.
        dim: Size of a vector.
        chunk_size: Vectors in a chunk; default: the library's.
        parts: The full matrix is made for one part of this many.
        turns: Times that each contender runs, after one that is not timed.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    vectors: int = 2**20
    codes: int = 1024
    dim: int = 64
    chunk_size: int | None = None
    parts: int = 8
    turns: int = 5
    out: str = "runs/nearest_codes.json"
    smoke: bool = False


SMOKE = {"vectors": 2**17, "codes": 256, "dim": 4, "parts": 1, "turns": 1}


def contenders(config):
    """Returns (compiled functions of (z, codebook) by name, their inputs)."""
    # Here, not above: a process starts with the peak of the one it comes from.
    import tensorflow as tf

    from keras_vae.layers import nearest_codes as library

    chunk = config.chunk_size or library.CHUNK_SCORES // config.codes
    chunk = min(chunk, config.vectors)

    def search(z, codebook):
        return library.nearest_codes(z, codebook, config.chunk_size)

    def product(z, codebook):
        codes = tf.transpose(codebook)
        num_chunks = tf.shape(z)[0] // chunk

        def step(i, minima):
            rows = tf.slice(z, (i * chunk, 0), (chunk, config.dim))
            return i + 1, minima.write(i, tf.reduce_min(rows @ codes, axis=1))

        _, minima = tf.while_loop(
            lambda i, _: i < num_chunks,
            step,
            (0, tf.TensorArray("float32", num_chunks, element_shape=(chunk,))),
            parallel_iterations=1,
        )
        return minima.stack()

    def matrix(z, codebook):
        distances = (
            tf.reduce_sum(z**2, axis=1, keepdims=True)
            + tf.reduce_sum(codebook**2, axis=1)
            - 2 * (z @ tf.transpose(codebook))
        )
        return tf.argmin(distances, axis=1, output_type=tf.int32)

    z = tf.random.stateless_normal((config.vectors, config.dim), (0, 1))
    codebook = tf.random.stateless_normal((config.codes, config.dim), (0, 2))
    some = tf.identity(z[: config.vectors // config.parts])
    # Any number of rows: one trace for the vectors and the warm-up.
    signature = [
        tf.TensorSpec((None, config.dim)),
        tf.TensorSpec(codebook.shape),
    ]
    functions = {
        name: tf.function(function, input_signature=signature)
        for name, function in [
            (SEARCH, search),
            (PRODUCT, product),
            (MATRIX, matrix),
        ]
    }
    inputs = {SEARCH: z, PRODUCT: z, MATRIX: some}
    return functions, inputs, codebook


def peak(config, name):
    """Returns MB beyond inputs and outputs, in a process that did no other
    search."""
    functions, inputs, codebook = contenders(config)
    functions[name](inputs[name][:1], codebook)
    # What it took to draw the vectors is no longer the peak.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = highest_mb()
    output = functions[name](inputs[name], codebook).numpy()
    return highest_mb() - before - output.nbytes / 2**20


def highest_mb():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def seconds(config):
    """Returns lists of (wall, processors') seconds by contender."""
    functions, inputs, codebook = contenders(config)
    taken = {name: [] for name in functions}
    for turn in range(-1, config.turns):
        # Back and forth: what one leaves behind must not always hit the same
        # other.
        for name in list(functions)[:: 1 if turn % 2 else -1]:
            scale = config.parts if name == MATRIX else 1
            start = time.perf_counter(), time.process_time()
            functions[name](inputs[name], codebook).numpy()
            end = time.perf_counter(), time.process_time()
            if turn >= 0:
                taken[name].append(
                    [scale * (b - a) for a, b in zip(start, end)]
                )
    return taken


def ratio(turns, others, clock=0):
    """Median of the ratios within a turn; clock 1 is the processors'."""
    return statistics.median(
        a[clock] / b[clock] for a, b in zip(turns, others, strict=True)
    )


def table(taken, peaks):
    """Rows: median seconds, median ratios to the search, peak MB."""
    rows = []
    for name, turns in taken.items():
        wall, cpu = map(statistics.median, zip(*turns))
        rows.append(
            {
                "contender": name,
                "seconds": f"{wall:.2f}",
                "it / search": f"{ratio(turns, taken[SEARCH]):.2f}",
                "CPU seconds": f"{cpu:.2f}",
                "CPU, it / search": f"{ratio(turns, taken[SEARCH], 1):.2f}",
                "peak MB": round(peaks[name]),
            }
        )
    return rows


def main(config):
    """Returns whether all limits are kept."""
    taken = in_fresh_process(seconds, config)
    peaks = {name: in_fresh_process(peak, config, name) for name in taken}
    goals = [
        report.goal(
            f"{SEARCH} / {PRODUCT}, seconds",
            ratio(taken[SEARCH], taken[PRODUCT]),
            at_most=LIMITS[PRODUCT],
        ),
        report.goal(
            f"{MATRIX} / {SEARCH}, seconds",
            ratio(taken[MATRIX], taken[SEARCH]),
            at_least=LIMITS[MATRIX],
        ),
        report.goal(
            f"{SEARCH}, MB beyond inputs and outputs",
            peaks[SEARCH],
            at_most=LIMITS["peak_mb"],
        ),
    ]
    print(f"The full matrix was timed on 1/{config.parts} of the vectors.")
    return report.finish(
        config, table(taken, peaks), config.out, goals, seconds=taken
    )


if __name__ == "__main__":
    raise SystemExit(int(not main(report.settings(Config, SMOKE, __doc__))))
