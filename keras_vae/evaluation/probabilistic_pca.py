"""The linear model whose likelihood and posterior are known exactly."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.typing import Array


class ProbabilisticPCA:
    """Probabilistic PCA: maximum likelihood in closed form, in float64.

    p(z) = N(z; 0, I),  p(x|z) = N(x; W z + mean, noise_variance I)
    p(x) = N(x; mean, C),             C = W W' + noise_variance I
    p(z|x) = N(z; M^-1 W' (x - mean), noise_variance M^-1),
                                      M = W' W + noise_variance I

    With eigenvalues l_1 >= l_2 ... and eigenvectors U of the covariance of the
    data (divided by n), the likelihood is greatest at

    W = U_q (diag(l_1 .. l_q) - noise_variance I)^(1/2)
    noise_variance = mean(l_(q+1) .. l_D)

    up to a rotation of z. It is what a VAE with linear networks and a normal
    likelihood of one learnt scale should reach.

    Args:
        latent_dim: int, q, at least 1 and less than the size of x.

    Attributes:
        mean: array (D,).
        weights: array (D, latent_dim), W.
        noise_variance: float > 0.

    Raises:
        ValueError: if `latent_dim` is no positive int.

    Example:
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> model = keras_vae.evaluation.ProbabilisticPCA(2).fit(x)
    >>> model.log_likelihood(x).shape
    (100,)

    Reference:
        Tipping, Bishop, 1999, equations 3 to 8.
    """

    def __init__(self, latent_dim: int) -> None:
        self.latent_dim = positive_int("latent_dim", latent_dim)

    def fit(self, x: ArrayLike) -> Self:
        """Sets the parameters to those of maximum likelihood.

        Args:
            x: array (n, ...), flattened to (n, D).

        Returns:
            This object.
        """
        x = _flat(x)
        if x.shape[1] <= self.latent_dim:
            raise ValueError(
                f"`x` must have more than latent_dim={self.latent_dim} "
                f"dimensions. Received: x of shape {x.shape}"
            )
        self.mean = x.mean(axis=0)
        covariance = np.cov(x.T, bias=True)
        values, vectors = np.linalg.eigh(covariance)
        values, vectors = values[::-1], vectors[:, ::-1]
        self.noise_variance = float(values[self.latent_dim :].mean())
        if self.noise_variance <= 1e-12 * values[0]:
            raise ValueError(
                "`x` must have variance beyond its first "
                f"{self.latent_dim} principal components, else the "
                "likelihood has no maximum. "
                f"Received: x of shape {x.shape}"
            )
        excess = values[: self.latent_dim] - self.noise_variance
        self.weights = vectors[:, : self.latent_dim] * np.sqrt(excess)
        return self

    def log_likelihood(self, x: ArrayLike) -> Array:
        """log p(x), exact, in nats: array (n,).

        Args:
            x: array (n, ...), flattened to (n, D).
        """
        centred = _flat(x) - self.mean
        dim = len(self.mean)
        # Determinant and inverse of C through those of the small matrix M.
        precision = self._posterior_precision()
        _, log_det = np.linalg.slogdet(precision)
        log_det += (dim - self.latent_dim) * np.log(self.noise_variance)
        projected = centred @ self.weights
        explained = np.linalg.solve(precision, projected.T).T
        distance = (
            np.sum(centred**2, axis=1) - np.sum(projected * explained, axis=1)
        ) / self.noise_variance
        return -0.5 * (dim * np.log(2.0 * np.pi) + log_det + distance)

    def posterior(self) -> tuple[Array, Array, Array]:
        """p(z|x) = N(kernel' x + bias, covariance), the same for every x.

        Returns:
            Tuple (kernel, bias, covariance) of arrays (D, latent_dim),
            (latent_dim,) and (latent_dim, latent_dim).
        """
        inverse = np.linalg.inv(self._posterior_precision())
        kernel = self.weights @ inverse
        return kernel, -self.mean @ kernel, self.noise_variance * inverse

    def _posterior_precision(self) -> Array:
        """M, the posterior's precision times the noise variance."""
        unit = np.eye(self.latent_dim)
        return self.weights.T @ self.weights + self.noise_variance * unit


def _flat(x: ArrayLike) -> Array:
    x = np.asarray(x, "float64")
    return x.reshape(len(x), -1)
