"""Principal components of the logits of binary data."""

from typing import Any
from typing import Self

import keras
import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.arguments import proper_fraction
from keras_vae.evaluation.pca import rows
from keras_vae.typing import Array

#: Weight of half the squared parameters in the objective: logits of pixels
#: that never vary would grow for ever.
_RIDGE = 1e-4

#: Rows whose logits are held in memory at a time.
_BLOCK = 2000


class LogisticPCA:
    """Linear codes under a Bernoulli likelihood: logits of low rank.

    theta = codes @ components + bias
    objective = sum_d softplus(theta_d) - x_d theta_d   (cross-entropy)

    of x in [0, 1], averaged over examples. It is an autoencoder with an
    optimal encoder and the simplest decoder that keeps within [0, 1].

    With w(t) = tanh(t / 2) / (2 t) the logistic function is bounded by a
    parabola that touches it at t = theta_old,

    softplus(t) <= t / 2 + w(theta_old) t**2 / 2 + constant

    so the optimal codes are weighted least squares in theta, and so are the
    components and the bias. `fit` alternates between the two, from the
    principal components of x: the objective never increases. (It contains
    1e-4 times half the squared parameters too, which keeps them finite.)

    Args:
        num_components: int, size of the codes.
        max_iter: int, alternations at most.
        tolerance: float, `fit` and `transform` stop when the objective has
            fallen by less than this share of itself.
        verbose: 0, or 1 for a progress bar.

    Attributes:
        components: array (num_components, D).
        bias: array (D,).
        objectives: list of float: the mean objective in nats after each
            alternation of `fit`.
        converged: bool, whether `fit` stopped by its tolerance.

    Raises:
        ValueError: if an argument has no meaning.

    Example:
    >>> x = np.random.default_rng(0).integers(0, 2, (50, 6)).astype("float32")
    >>> model = keras_vae.evaluation.LogisticPCA(2, max_iter=10).fit(x)
    >>> model.transform(x).shape, model.reconstruct(x).shape
    ((50, 2), (50, 6))

    Reference:
        Schein, Saul, Ungar, 2003, section 3; Collins, Dasgupta, Schapire,
        2001. Baseline of Hinton, Salakhutdinov, 2006.
    """

    def __init__(
        self,
        num_components: int,
        max_iter: int = 100,
        tolerance: float = 1e-4,
        verbose: int = 0,
    ) -> None:
        self.num_components = positive_int("num_components", num_components)
        self.max_iter = positive_int("max_iter", max_iter)
        self.tolerance = proper_fraction("tolerance", tolerance)
        self.verbose = verbose

    def fit(self, x: Array) -> Self:
        """Sets components and bias.

        Args:
            x: float array (n, ...) in [0, 1], flattened to (n, D). What is
                computed has its precision, at least float32.

        Returns:
            This object.
        """
        x = _unit_rows(x)
        if self.num_components > min(x.shape):
            raise ValueError(
                f"`x` must have at least num_components={self.num_components} "
                f"examples and dimensions. Received: x of shape {x.shape}"
            )
        codes = self._start(x)
        self.objectives, self.converged = [], False
        bar = keras.utils.Progbar(self.max_iter, verbose=self.verbose)
        for step in range(self.max_iter):
            value, matrices, vectors = self._sweep(x, codes)
            self.objectives.append(value)
            bar.update(step + 1, [("objective", value)])
            if step and self._settled(self.objectives[-2], value):
                self.converged = True
                bar.update(step + 1, finalize=True)
                break
            solution = _solve(matrices, vectors).astype(x.dtype)
            self.components = np.ascontiguousarray(solution[:, :-1].T)
            self.bias = solution[:, -1]
        return self

    def transform(self, x: Array) -> Array:
        """The best codes under fixed components: a convex problem.

        Args:
            x: float array (n, ...) in [0, 1], flattened to (n, D).

        Returns:
            array (n, num_components).
        """
        x = _unit_rows(x)
        if x.shape[1] != len(self.bias):
            raise ValueError(
                f"`x` must have {len(self.bias)} dimensions, as in `fit`. "
                f"Received: x of shape {x.shape}, flattened"
            )
        codes = np.zeros((len(x), self.num_components), x.dtype)
        pairs = _pairs(self.components.T)
        bar = keras.utils.Progbar(len(x), verbose=self.verbose)
        for block in _blocks(x):
            before = np.inf
            for _ in range(self.max_iter):
                codes[block] = self._best_codes(x[block], codes[block], pairs)
                value = self._objective(x[block], codes[block])
                if self._settled(before, value):
                    break
                before = value
            bar.add(len(x[block]))
        return codes

    def inverse_transform(self, codes: Array) -> Array:
        """Probabilities at codes: array (n, D)."""
        theta = codes @ self.components + self.bias
        return 0.5 + 0.5 * np.tanh(0.5 * theta)

    def reconstruct(self, x: Array) -> Array:
        """Probabilities at the best codes of x: array of its shape."""
        return self.inverse_transform(self.transform(x)).reshape(np.shape(x))

    def _start(self, x: Array) -> Array:
        """Codes, components and bias of the parabola at the mean pixel."""
        mean = x.mean(axis=0, dtype="float64")
        _, directions = np.linalg.eigh(
            np.cov(x.T, bias=True).reshape(2 * mean.shape)
        )
        directions = directions[:, ::-1][:, : self.num_components]
        codes = 4.0 * (x - mean.astype(x.dtype)) @ directions.astype(x.dtype)
        # Components carry the scale, codes have unit variance.
        scale = codes.std(axis=0)
        codes /= np.where(scale > 0.0, scale, 1.0)
        self.components = (directions * scale).T.astype(x.dtype)
        mean = np.clip(mean, 1e-3, 1.0 - 1e-3)
        self.bias = np.log(mean / (1.0 - mean)).astype(x.dtype)
        return codes

    def _sweep(self, x: Array, codes: Array) -> tuple[float, Array, Array]:
        """Updates the codes in place.

        Returns:
            The mean objective, and the linear systems of the components and
            the bias: matrices packed (D, pairs), vectors (D, components + 1).
        """
        total = 0.0
        matrices: Any = 0.0
        vectors: Any = 0.0
        pairs = _pairs(self.components.T)
        for block in _blocks(x):
            codes[block] = self._best_codes(x[block], codes[block], pairs)
            total += self._objective(x[block], codes[block])
            weights = _weights(codes[block] @ self.components + self.bias)
            ones = np.ones((len(weights), 1), x.dtype)
            design = np.concatenate([codes[block], ones], axis=1)
            # The sum over blocks is in float64.
            matrices += np.float64(weights.T @ _pairs(design))
            vectors += np.float64((x[block] - 0.5).T @ design)
        total += 0.5 * _RIDGE * _sum(self.components**2)
        total += 0.5 * _RIDGE * _sum(self.bias**2)
        return total / len(x), matrices, vectors

    def _best_codes(self, x: Array, codes: Array, pairs: Array) -> Array:
        """Codes at the minimum of the parabolas that touch at `codes`."""
        weights = _weights(codes @ self.components + self.bias)
        vectors = (x - 0.5 - weights * self.bias) @ self.components.T
        return _solve(weights @ pairs, vectors)

    def _objective(self, x: Array, codes: Array) -> float:
        """Sum over the examples, without what depends on components alone."""
        theta = codes @ self.components + self.bias
        softplus = np.maximum(theta, 0.0) + np.log1p(np.exp(-np.abs(theta)))
        cross_entropy = _sum(softplus - x * theta)
        return cross_entropy + 0.5 * _RIDGE * _sum(codes**2)

    def _settled(self, before: float, value: float) -> bool:
        return before - value <= self.tolerance * value


def _unit_rows(x: Array) -> Array:
    x = rows(x, "x")
    if x.min() < 0.0 or x.max() > 1.0:
        raise ValueError(
            "`x` must be in [0, 1]. "
            f"Received: x between {x.min():g} and {x.max():g}"
        )
    return x if x.dtype == "float64" else x.astype("float32")


def _blocks(x: Array) -> list[slice]:
    return [slice(i, i + _BLOCK) for i in range(0, len(x), _BLOCK)]


def _sum(array: Array) -> float:
    return float(np.sum(array, dtype="float64"))


def _weights(theta: Array) -> Array:
    """w(theta) = tanh(theta / 2) / (2 theta), even, 1/4 at 0."""
    size = np.maximum(np.abs(theta), 1e-3)
    return np.tanh(0.5 * size) / (2.0 * size)


# Products of the entries of a row with each other are packed: each symmetric
# k x k matrix as its k (k + 1) / 2 different entries.


def _pairs(array: Array) -> Array:
    """Rows (n, k) to the packed products (n, k (k + 1) / 2)."""
    i, j = np.triu_indices(array.shape[1])
    return array[:, i] * array[:, j]


def _solve(packed: Array, vectors: Array) -> Array:
    """Solutions (n, k) of n symmetric systems, with the ridge."""
    k = vectors.shape[1]
    i, j = np.triu_indices(k)
    place = np.zeros((k, k), int)
    place[i, j] = place[j, i] = np.arange(len(i))
    matrices = packed[:, place]
    matrices[:, range(k), range(k)] += _RIDGE
    return np.linalg.solve(matrices, vectors[..., None])[..., 0]
