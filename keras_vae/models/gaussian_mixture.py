import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from numpy.typing import ArrayLike
from tensorflow_probability import distributions as tfd

from keras_vae import data_checks
from keras_vae import random
from keras_vae.arguments import non_negative
from keras_vae.arguments import positive_int
from keras_vae.arguments import sample_count
from keras_vae.models import specs
from keras_vae.models.base import TermModel
from keras_vae.typing import Array
from keras_vae.typing import ExportSignature
from keras_vae.typing import Scalar
from keras_vae.typing import Seed
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike

_COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")


@keras.saving.register_keras_serializable(package="keras_vae")
class GaussianMixture(TermModel):
    """Mixture of normals: a discrete z whose posterior is known exactly.

    p(x) = sum_k pi_k N(x; m_k, C_k),  p(k|x) = pi_k N(x; m_k, C_k) / p(x)
    loss = neg_log_likelihood = -log p(x)
    ELBO(x, q) = sum_k q_k (log pi_k + log N(x; m_k, C_k) - log q_k)
    log p(x) = ELBO(x, q) + KL(q || p(k|x))       for every q

    The weights of the model are logits, means and Cholesky factors:
    C_k = L_k L_k' + variance_floor * I. They are learnt by `fit`; call
    `initialize` with the data first, as a random start is a poor one.

    Args:
        num_components: int >= 1, K.
        dim: int >= 1, size of x.
        covariance_type: "full", "tied" (one for all components), "diag" or
            "spherical", as in scikit-learn.
        means: None, or array (K, dim) to start from. None: drawn.
        covariances: None, or array to start from: (K, dim, dim) for "full",
            (dim, dim) for "tied", (K, dim) for "diag", (K,) for "spherical".
            None: identity.
        weights: None, or array (K,) to start from, pi. None: uniform.
        trainable: bool. False: known, means and covariances are needed.
        variance_floor: float >= 0, lower bound of every variance.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, dim).

    Input shape:
        (batch, dim)

    Output shape:
        (batch, K), p(k|x)

    Raises:
        ValueError: if an argument is out of range, of another shape or no
            covariance.

    Example:
    >>> model = keras_vae.GaussianMixture(
    ...     2, 1, means=[[-1.0], [1.0]], covariances=np.ones((2, 1, 1)),
    ...     trainable=False,
    ... )
    >>> print(model.posterior([[0.0], [3.0]]).numpy().round(3))
    [[0.5   0.5  ]
     [0.002 0.998]]

    Reference:
        Dempster, Laird, Rubin, 1977, section 4.3; Neal, Hinton, 1998,
        section 2, for the bound.
    """

    config_attributes = {
        "means": "initial_means",
        "covariances": "initial_covariances",
        "weights": "initial_weights",
    }

    def __init__(
        self,
        num_components: int,
        dim: int,
        covariance_type: str = "full",
        means: ArrayLike | None = None,
        covariances: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        trainable: bool = True,
        variance_floor: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        positive_int("num_components", num_components)
        positive_int("dim", dim)
        if covariance_type not in _COVARIANCE_TYPES:
            raise ValueError(
                f"`covariance_type` must be one of {list(_COVARIANCE_TYPES)}. "
                f"Received: covariance_type={covariance_type!r}"
            )
        non_negative("variance_floor", variance_floor)
        if not trainable and (means is None or covariances is None):
            raise ValueError(
                "A mixture that is not learnt must be known: give `means` "
                f"and `covariances`. Received: trainable={trainable}, "
                f"means={means!r}, covariances={covariances!r}"
            )
        super().__init__(trainable=trainable, **kwargs)
        self.num_components = num_components
        self.dim = dim
        self.covariance_type = covariance_type
        self.variance_floor = variance_floor
        self.initial_means = _array("means", means, (num_components, dim))
        self.initial_covariances = _array(
            "covariances", covariances, self._covariances_shape()
        )
        self.initial_weights = _array("weights", weights, (num_components,))
        self._check_start()
        self.add_term("neg_log_likelihood", elbo=True)
        self.build((None, dim))

    def _covariances_shape(self):
        components, dim = self.num_components, self.dim
        return {
            "full": (components, dim, dim),
            "tied": (dim, dim),
            "diag": (components, dim),
            "spherical": (components,),
        }[self.covariance_type]

    def _check_start(self):
        weights = self.initial_weights
        if weights is not None and (
            np.any(weights <= 0) or abs(np.sum(weights) - 1) > 1e-5
        ):
            raise ValueError(
                "`weights` must be positive with sum 1. "
                f"Received: weights={weights}"
            )
        variances = covariances = self.initial_covariances
        if covariances is None:
            return
        if self._is_matrix():
            transposed = np.swapaxes(covariances, -1, -2)
            if not np.allclose(covariances, transposed, rtol=1e-5):
                raise ValueError(
                    "`covariances` must be symmetric. "
                    f"Received: covariances={covariances}"
                )
            variances = np.linalg.eigvalsh(covariances)
        if np.min(variances) <= self.variance_floor:
            raise ValueError(
                "`covariances` must be positive definite, with all variances "
                f"above variance_floor={self.variance_floor}. Received: "
                f"covariances={covariances} with variance {np.min(variances)}"
            )

    def _is_matrix(self):
        return self.covariance_type in ("full", "tied")

    def build(self, input_shape: Shape) -> None:
        if hasattr(self, "_logits"):
            return
        means, covariances = self.initial_means, self.initial_covariances
        weights = self.initial_weights
        components, dim = self.num_components, self.dim
        if covariances is None:
            variance = 1.0 + self.variance_floor
            unit = np.eye(dim) if self._is_matrix() else 1.0
            covariances = np.broadcast_to(
                variance * unit, self._covariances_shape()
            )
        if weights is None:
            weights = np.full(components, 1.0 / components)
        if means is None:
            rng = np.random.default_rng(self.seed)
            means = rng.standard_normal((components, dim))
        start = {
            "logits": np.log(weights),
            "means": means,
            "factors": self._to_factors(covariances),
        }
        self._logits, self._means, self._factors = (
            self.add_weight(
                name=name,
                shape=value.shape,
                dtype="float32",
                initializer=keras.initializers.Constant(value),
                autocast=False,
            )
            for name, value in start.items()
        )

    # === Parameters ===

    def _to_factors(self, covariances):
        """Unconstrained weights (NumPy) of covariances above the floor."""
        floor = self.variance_floor
        if not self._is_matrix():
            factors = 0.5 * np.log(covariances - floor)
            return factors.reshape(self.num_components, -1)
        factors = np.linalg.cholesky(covariances - floor * np.eye(self.dim))
        diagonal = np.arange(self.dim)
        factors[..., diagonal, diagonal] = np.log(
            factors[..., diagonal, diagonal]
        )
        return tfp.math.fill_triangular_inverse(factors).numpy()

    def _components(self):
        """p(x | k) as a tfd object, batch (K,), event (dim,)."""
        means = tf.convert_to_tensor(self._means)
        raw = tf.convert_to_tensor(self._factors)
        if not self._is_matrix():
            scales = tf.sqrt(tf.exp(2.0 * raw) + self.variance_floor)
            scales *= tf.ones_like(means)
            return tfd.MultivariateNormalDiag(means, scales)
        return tfd.MultivariateNormalTriL(means, self._scale_tril(raw))

    def _scale_tril(self, raw):
        """Cholesky factors of C_k, or of the one C: float32 (..., dim, dim)."""
        # L L' has the square of L's condition number: too much for float32.
        factors = tfp.math.fill_triangular(tf.cast(raw, "float64"))
        diagonal = tf.exp(tf.linalg.diag_part(factors))
        factors = tf.linalg.set_diag(factors, diagonal)
        covariances = tf.matmul(factors, factors, transpose_b=True)
        floor = tf.eye(self.dim, dtype="float64") * self.variance_floor
        scales = tf.linalg.cholesky(covariances + floor)
        return tf.cast(scales, "float32")

    def parameters(self) -> dict[str, Array]:
        """NumPy arrays by argument: means, covariances, weights.

        They have the shapes of the arguments of `__init__`, which takes them.
        """
        weights = tf.nn.softmax(self._logits).numpy()
        covariances = self._components().covariance().numpy()
        # Products of matrices are symmetric up to rounding; inverses, and
        # those who check, want more.
        covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
        covariances = np.broadcast_to(
            covariances, (self.num_components, self.dim, self.dim)
        )
        return {
            "means": np.array(self._means),
            "covariances": self._constrain(covariances, weights),
            "weights": weights,
        }

    def _constrain(self, covariances, weights):
        """Full covariances (K, dim, dim) to the shape of the type."""
        if self.covariance_type == "tied":
            return np.tensordot(weights, covariances, 1)
        if self.covariance_type == "full":
            return covariances
        variances = np.diagonal(covariances, axis1=1, axis2=2)
        if self.covariance_type == "diag":
            return variances
        return variances.mean(axis=1)

    def initialize(
        self, x: Array, responsibilities: Array | None = None, seed: int = 0
    ) -> None:
        """Sets the parameters to those of weighted clusters of the data.

        With the model's own posterior(x) this is one step of EM; with those
        of k-means, the default, the usual start.

        Args:
            x: array (n, dim).
            responsibilities: None, or array (n, K) with rows of sum 1. None:
                k-means.
            seed: int, of k-means.
        """
        x = np.asarray(x)
        self.check_data(x)
        x = x.astype("float64")
        if responsibilities is None:
            responsibilities = self._clusters(x, seed)
        q = self._check_q(responsibilities, len(x)).astype("float64")
        # As in scikit-learn: a component without examples has no mean.
        counts = q.sum(axis=0) + 10 * np.finfo("float64").eps
        weights = counts / counts.sum()
        means = q.T @ x / counts[:, np.newaxis]
        covariances = np.stack(
            [
                (q[:, k] * (x - means[k]).T) @ (x - means[k]) / counts[k]
                for k in range(self.num_components)
            ]
        )
        # A factor needs something above the floor in every direction.
        smallest = max(self.variance_floor, float(np.finfo("float32").tiny))
        values, axes = np.linalg.eigh(covariances)
        values = np.maximum(values, smallest)[:, np.newaxis]
        covariances = (values * axes) @ np.swapaxes(axes, -1, -2)
        covariances += self.variance_floor * np.eye(self.dim)
        covariances = self._constrain(covariances, weights)
        self._logits.assign(np.log(weights))
        self._means.assign(means)
        self._factors.assign(self._to_factors(covariances))

    def _clusters(self, x, seed):
        from sklearn.cluster import KMeans

        if len(x) < self.num_components:
            raise ValueError(
                f"k-means needs at least {self.num_components} examples. "
                f"Received: x of shape {x.shape}"
            )
        k_means = KMeans(self.num_components, n_init=1, random_state=seed)
        return np.eye(self.num_components)[k_means.fit(x).labels_]

    # === Objective ===

    def check_data(self, x: Any, y: Any = None) -> None:
        data_checks.check_no_target(self, y)
        data_checks.check_one_array(x)
        self._check_shape(x)
        data_checks.check_floats(x, "x")

    def _check_shape(self, x):
        if len(x.shape) != 2 or x.shape[1] != self.dim:
            raise ValueError(
                f"`x` must have shape (batch, {self.dim}). "
                f"Received: x of shape {tuple(x.shape)}"
            )

    def _check_q(self, q, num):
        q = np.asarray(q)
        if q.shape != (num, self.num_components):
            raise ValueError(
                f"`q` must have shape ({num}, {self.num_components}), a "
                "probability for each example and component. "
                f"Received: q of shape {q.shape}"
            )
        # Written so that NaN fails too.
        if not (np.all(q >= 0) and np.all(abs(q.sum(axis=1) - 1) < 1e-4)):
            raise ValueError(
                "The rows of `q` must be probabilities with sum 1. Received: "
                f"q with values from {q.min()} to {q.max()} and sums from "
                f"{q.sum(axis=1).min()} to {q.sum(axis=1).max()}"
            )
        return q

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        return {"neg_log_likelihood": -self.log_prob(x)}

    def _log_joint(self, x):
        """log pi_k + log N(x; m_k, C_k): float32 (batch, K)."""
        return tf.transpose(self._log_joint_by_component(x))

    def _log_joint_by_component(self, x):
        """As `_log_joint`, (K, batch): sums over k run along the batch."""
        x = tf.convert_to_tensor(x)
        self._check_shape(x)
        x = tf.cast(x, "float32")
        log_weights = tf.nn.log_softmax(tf.convert_to_tensor(self._logits))
        if not self._is_matrix():
            log_prob = self._components().log_prob(x[:, tf.newaxis])
            return tf.transpose(log_weights + log_prob)
        # The distribution would solve a system for each example and component;
        # here there is one for each component, with all examples.
        means = tf.convert_to_tensor(self._means)
        scales = self._scale_tril(tf.convert_to_tensor(self._factors))
        log_det = tf.math.log(tf.linalg.diag_part(scales))
        log_weights -= tf.reduce_sum(log_det, axis=-1)
        log_weights -= 0.5 * self.dim * math.log(2.0 * math.pi)
        scales = tf.broadcast_to(
            scales, [self.num_components, self.dim, self.dim]
        )
        error = tf.transpose(x - means[:, tf.newaxis], [0, 2, 1])
        error = tf.linalg.triangular_solve(scales, error)
        squares = tf.reduce_sum(tf.square(error), axis=1)
        return log_weights[:, tf.newaxis] - 0.5 * squares

    # === Inference ===

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return (self.dim,)

    def log_prob(self, x: TensorLike) -> tf.Tensor:
        """log p(x), exact, in nats: float32 tensor (batch,)."""
        return tf.reduce_logsumexp(self._log_joint_by_component(x), axis=0)

    def posterior(self, x: TensorLike) -> tf.Tensor:
        """p(k|x), the responsibilities: float32 tensor (batch, K)."""
        return tf.nn.softmax(self._log_joint(x))

    def encode(self, x: TensorLike) -> tf.Tensor:
        """The most probable component, Bayes's decision: int32 (batch,)."""
        return tf.argmax(self._log_joint(x), axis=-1, output_type="int32")

    def elbo(self, x: TensorLike, q: TensorLike) -> tf.Tensor:
        """Bound of log p(x) by any q(k|x); tight at `posterior(x)`.

        Args:
            x: array (batch, dim).
            q: array (batch, K), rows of sum 1.

        Returns:
            float32 tensor (batch,), nats.
        """
        log_joint = self._log_joint(x)
        q = tf.cast(self._check_q(q, log_joint.shape[0]), "float32")
        # A component that q excludes adds nothing, however improbable it is.
        expected = tf.math.multiply_no_nan(log_joint, q)
        return tf.reduce_sum(expected - tf.math.xlogy(q, q), axis=-1)

    def call(self, x: TensorLike, training: bool = False) -> tf.Tensor:
        return self.posterior(x)

    # === Generation ===

    def distribution(self) -> tfd.Distribution:
        """p(x) as a tfd object, batch (), event (dim,)."""
        weights = tfd.Categorical(logits=tf.convert_to_tensor(self._logits))
        components = self._components()
        if not components.batch_shape.rank:
            components = tfd.BatchBroadcast(components, [self.num_components])
        return tfd.MixtureSameFamily(weights, components)

    def sample(self, num: Scalar, seed: Seed | None = None) -> tf.Tensor:
        """Draws from p(x).

        Args:
            num: int or scalar int tensor.
            seed: None, int or integer tensor (2,); the same seed gives the
                same samples, None fresh ones.

        Returns:
            float32 tensor (num, dim).
        """
        num = sample_count("num", num)
        return self.distribution().sample(num, seed=random.as_seed(seed))

    def export_signatures(self) -> dict[str, ExportSignature]:
        """Named functions for a SavedModel, see `keras_vae.export_model`.

        Returns:
            dict of name to (function, list of `tf.TensorSpec`).
        """
        x = specs.floats("x", self.event_shape)

        def sample(num, seed):
            return {"samples": self.sample(num, seed)}

        def log_prob(x):
            return {"log_prob": self.log_prob(x)}

        return {
            "serving_default": (sample, [specs.NUM, specs.SEED]),
            "log_prob": (log_prob, [x]),
        }


def _array(name, value, shape):
    """`value` as float64 of this shape, or None."""
    if value is None:
        return None
    value = np.asarray(value, "float64")
    if value.shape != shape or not np.all(np.isfinite(value)):
        raise ValueError(
            f"`{name}` must be finite and of shape {shape}. "
            f"Received: {name}={value}"
        )
    return value
