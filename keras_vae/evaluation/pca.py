"""Principal components as the baseline of autoencoders."""

import numpy as np
from numpy.typing import ArrayLike

from keras_vae import data_checks
from keras_vae.arguments import positive_int
from keras_vae.typing import Array


def pca_reconstructions(
    x_train: ArrayLike, x_test: ArrayLike, num_components: int
) -> Array:
    """Reconstruct test examples from principal components of training ones.

    The best linear autoencoder under squared error, with the mean of the
    training examples as its bias; exact, in float64.

    Args:
        x_train: float array `(examples, ...)`.
        x_test: float array of examples of the same shape.
        num_components: Size of the code.

    Returns:
        float32 array of the shape of `x_test`.

    Raises:
        ValueError: If data are not finite floats of one event shape, or do
            not have as many components.
    """
    from sklearn.decomposition import PCA

    num_components = positive_int("num_components", num_components)
    train, test = rows(x_train, "x_train"), rows(x_test, "x_test")
    if np.shape(x_train)[1:] != np.shape(x_test)[1:]:
        raise ValueError(
            "`x_train` and `x_test` must have examples of one shape. "
            f"Received: x_train of shape {np.shape(x_train)}, x_test of shape "
            f"{np.shape(x_test)}"
        )
    if num_components > min(train.shape):
        raise ValueError(
            f"`num_components` must be at most {min(train.shape)}, the "
            f"smaller of the numbers of examples and dimensions. "
            f"Received: num_components={num_components}"
        )
    pca = PCA(num_components, svd_solver="covariance_eigh")
    pca.fit(train.astype("float64"))
    reconstructions = pca.inverse_transform(pca.transform(test))
    return reconstructions.reshape(np.shape(x_test)).astype("float32")


def pca_reconstruction_error(
    x_train: ArrayLike, x_test: ArrayLike, num_components: int
) -> float:
    """Squared error of PCA: summed over dimensions, averaged over examples.

    mean_i |x_i - PCA(x_i)|**2, over the test examples

    Args:
        x_train: float array `(examples, ...)`.
        x_test: float array of examples of the same shape.
        num_components: Size of the code.

    Returns:
        float.

    Raises:
        ValueError: As `pca_reconstructions`.

    Example:

    >>> x = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]])
    >>> moved = np.array([[1.0, 3.0]])
    >>> error = keras_vae.evaluation.pca_reconstruction_error(x, moved, 1)
    >>> round(error, 6)
    9.0

    Reference:
        Hinton, Salakhutdinov, 2006.
    """
    return squared_error(
        x_test, pca_reconstructions(x_train, x_test, num_components)
    )


def squared_error(x: ArrayLike, reconstructions: ArrayLike) -> float:
    """Summed over dimensions, averaged over examples, in float64.

    Args:
        x: Array `(examples, ...)`.
        reconstructions: Array of its shape.

    Returns:
        float.

    Raises:
        ValueError: If the shapes differ or there is no example.
    """
    x, reconstructions = np.asarray(x), np.asarray(reconstructions)
    if x.shape != reconstructions.shape or x.size == 0:
        raise ValueError(
            "`reconstructions` must have the shape of `x`, with at least one "
            f"example. Received: x of shape {x.shape}, reconstructions of "
            f"shape {reconstructions.shape}"
        )
    difference = np.subtract(x, reconstructions, dtype="float64")
    return float(np.sum(difference**2) / len(x))


def rows(x: ArrayLike, argument: str) -> Array:
    """Finite floats, one flat row for each example."""
    x = np.asarray(x)
    if x.ndim < 2 or x.size == 0:
        raise ValueError(
            f"`{argument}` must hold at least one example. "
            f"Received: {argument} of shape {x.shape}"
        )
    data_checks.check_floats(x, argument)
    return x.reshape(len(x), -1)
