"""How much of the labels a linear classifier reads off codes."""

import numpy as np

from keras_vae import evaluation


def check_labels(config, arrays):
    """Raises a ValueError if there are none, before anything is trained."""
    if arrays.y_train is None or arrays.y_test is None:
        raise ValueError(
            "`data` must have labels, y_train and y_test: codes are judged by "
            f"them. Received: data={config.data!r}, without"
        )


def probe(config, arrays, encode):
    """Logistic regression on the codes of all images but the test's.

    Args:
        config: Settings with `probe_iterations`, of L-BFGS, at most.
        arrays: `datasets.Arrays` with labels.
        encode: Callable from images to codes.

    Returns:
        `evaluation.LogisticRegressionResult`, errors in percent.
    """
    x, labels = arrays.x_train, arrays.y_train
    if len(arrays.x_validation):
        x = np.concatenate([x, arrays.x_validation])
        labels = np.concatenate([labels, arrays.y_validation])
    return evaluation.logistic_regression(
        encode(x),
        labels,
        encode(arrays.x_test),
        arrays.y_test,
        max_iter=config.probe_iterations,
        seed=config.seed,
        verbose=1,
    )
