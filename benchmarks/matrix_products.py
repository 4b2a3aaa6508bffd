"""Share of the machine's matrix-product rate that `fit` reaches.

    python -m benchmarks.matrix_products

A training step of the dense VAE (784-512-512-50, Bernoulli) at a large batch
is matrix products and little else: x W forward, and the gradients of W and, but
for the first layer, of x backward. Floating point operations per second of
`fit`, counting the products alone, over those of a product of two large square
matrices; and over those of the step's own products, one after another, in their
shapes. They take turns in one process.
"""

import dataclasses

import tensorflow as tf

from benchmarks import report
from benchmarks import turns
from benchmarks.subjects.vae import DenseVAE
from benchmarks.train_throughput import Fit
from benchmarks.train_throughput import endless

FIT, OWN, SQUARE = "fit", "the step's products", "square product"
MIN_SHARE = 0.6


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of this benchmark.

    Args:
        batch_size: Images in a batch.
        steps: Training steps in one turn.
        square: Size of the square matrices.
        units: Widths of the encoder, and of the decoder.
        rounds: Times that each runs, after one that is not timed.
        out: The JSON file.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing.
    """

    batch_size: int = 1024
    steps: int = 100
    square: int = 2048
    units: tuple[int, ...] = (512, 512)
    rounds: int = 5
    out: str = "runs/matrix_products.json"
    smoke: bool = False


SMOKE = {
    "batch_size": 8,
    "steps": 2,
    "square": 8,
    "units": (4, 4),
    "rounds": 1,
}


def shapes(kernels, batch_size):
    """(rows, inner, columns) of all products of one step.

    Args:
        kernels: pairs (inputs, outputs) of the layers, the first first.
        batch_size: int.
    """
    products = []
    for number, (inputs, outputs) in enumerate(kernels):
        products.append((batch_size, inputs, outputs))
        products.append((inputs, batch_size, outputs))
        if number:
            products.append((batch_size, outputs, inputs))
    return products


def operations(products):
    return sum(2 * rows * inner * columns for rows, inner, columns in products)


def multiplying(products):
    """Callable from a number of times to (seconds, an entry)."""
    factors = [
        (tf.random.normal([rows, inner]), tf.random.normal([inner, columns]))
        for rows, inner, columns in products
    ]

    @tf.function
    def run(times):
        total = 0.0
        for _ in tf.range(times):
            # One entry of each: nothing can be left out, nothing is added.
            total += tf.add_n([tf.matmul(a, b)[0, 0] for a, b in factors])
        return total

    return turns.timed(lambda times: run(tf.constant(times)))


def main(config):
    """Returns whether the goal is met."""
    subject = DenseVAE(units=config.units)
    arrays = subject.arrays(config.batch_size * config.steps)
    splits = endless(arrays, config.batch_size, config.steps)
    objective = subject.objective()
    # In the order of a step: the head of the encoder is in the middle.
    layers = [*objective.encoder.layers, objective.head]
    layers += objective.decoder.layers
    kernels = [
        tuple(layer.kernel.shape)
        for layer in layers
        if hasattr(layer, "kernel")
    ]
    of_step = shapes(kernels, config.batch_size)
    square = 3 * (config.square,)
    step = operations(of_step)
    # As long as a turn of the others.
    times = max(1, config.steps * step // operations([square]))
    fit, squares = Fit(subject, splits, 25), multiplying([square])
    contenders = {
        FIT: lambda steps: fit(1),
        OWN: multiplying(of_step),
        SQUARE: lambda steps: squares(times),
    }
    work = {
        FIT: config.steps * step / 1e9,
        OWN: config.steps * step / 1e9,
        SQUARE: times * operations([square]) / 1e9,
    }
    unit = "10^9 operations/s"
    rates, values = turns.take_turns(
        contenders, config.rounds, config.steps, work, unit
    )
    rows = turns.table(rates, values, FIT, unit)
    for row in rows:
        del row["loss"]
    share = report.goal(
        f"fit / rate of {SQUARE}s, dense VAE, batch {config.batch_size}",
        turns.ratio(rates, FIT, SQUARE),
        at_least=MIN_SHARE,
    )
    return report.finish(config, rows, config.out, [share], rates=rates)


if __name__ == "__main__":
    raise SystemExit(int(not main(report.settings(Config, SMOKE, __doc__))))
