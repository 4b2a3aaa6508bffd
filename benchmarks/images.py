"""The images that the benchmarks run on."""

import contextlib
import pathlib
import tempfile

import numpy as np

SHAPE = (28, 28)


@contextlib.contextmanager
def folder(name, data_dir, num_train, num_test):
    """Yields the folder that holds the set called `name`.

    Args:
        name: "random" for binary noise of MNIST's shape, made in a temporary
            folder; or a name that `keras_vae.datasets.load` knows.
        data_dir: folder of .npz files, or None.
        num_train, num_test: int, images of the random set.
    """
    if name != "random":
        yield data_dir
        return
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as made:
        np.savez(
            pathlib.Path(made) / "random.npz",
            x_train=rng.integers(0, 2, (num_train, *SHAPE), "uint8"),
            x_test=rng.integers(0, 2, (num_test, *SHAPE), "uint8"),
        )
        yield made
