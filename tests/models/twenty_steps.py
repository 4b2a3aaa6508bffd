"""Twenty steps of a row of the table, on whatever a strategy spans.

As a program, `python -m tests.models.twenty_steps FILE [ROW ...]`, one worker
of those in TF_CONFIG: the weights of all rows, or of some, go to a file.
"""

import keras
import numpy as np
import tensorflow as tf

from tests.conformance import table

ROWS = table.MODELS | table.VARIANTS

OPTIMIZERS = {
    # What is clipped is the gradient of the global batch, in most steps.
    "momentum": lambda: keras.optimizers.SGD(
        0.01, momentum=0.9, global_clipnorm=0.5
    ),
    "adam": lambda: keras.optimizers.Adam(0.01),
}


def inputs(name, num):
    x = ROWS[name].inputs(num)
    if name.startswith("VQ"):
        # Of zeros and ones there are fewer vectors than codes: some codes would
        # coincide, and rounding choose among them.
        return np.random.default_rng(0).uniform(size=x.shape).astype(x.dtype)
    return x


def weights_after(name, optimizer, strategy):
    """All weights of a model after 20 steps, as arrays.

    Of five batches of 4 the last has 3 examples, then 1: replicas share it
    unevenly, then one of them has none.
    """
    row = ROWS[name]
    with strategy.scope():
        model = row.model()
        model.compile(OPTIMIZERS[optimizer]())
    for num in (19, 17):
        x = inputs(name, num)
        model.fit(x, batch_size=4, epochs=2, shuffle=False, verbose=0)
    assert keras.ops.convert_to_numpy(model.step) == 20
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def main(path, *names):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    arrays = {}
    for name in names or ROWS:
        for optimizer in OPTIMIZERS:
            weights = weights_after(name, optimizer, strategy)
            for index, weight in enumerate(weights):
                arrays[f"{name}/{optimizer}/{index}"] = weight
            keras.backend.clear_session()
            print(name, optimizer, flush=True)
    np.savez(path, **arrays)


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:])
