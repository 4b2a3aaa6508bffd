"""The Gaussian formulas of a diffusion model, without network and data.

With a_t = sqrt(alpha_bar_t), s_t = sqrt(1 - alpha_bar_t), t = 1..T:

q(x_t | x_0) = N(a_t x_0, s_t**2 I)
q(x_{t-1} | x_t, x_0) = N(A_t x_0 + B_t x_t, v_t I)
    A_t = a_{t-1} beta_t / s_t**2
    B_t = sqrt(1 - beta_t) s_{t-1}**2 / s_t**2
    v_t = beta_t s_{t-1}**2 / s_t**2
p(x_{t-1} | x_t) = N(A_t x_hat + B_t x_t, variance_t I)

Tables are float64 NumPy arrays, computed once; formulas are in the dtype of
the tensors that they are given.
"""

import numpy as np
import tensorflow as tf

from keras_vae.typing import Array

#: What a network may be asked to predict.
PREDICTIONS = ("noise", "x", "v")

#: Names of variances of p(x_{t-1} | x_t).
VARIANCES = ("beta", "posterior")


class DiffusionProcess:
    """The chain of T steps, its posterior, and the variances of p.

    All tables have T + 1 entries, by t; x_0 is the data.

    Args:
        betas: float64 array (T,), in (0, 1).
        variance: "beta" or "posterior" (v_t): variances of p for t > 1. Or
            an array (T,), of all steps.
        first_variance: "beta", or "posterior" (v_2, as v_1 is 0): that of
            p(x_0 | x_1), where `variance` is a name.

    Attributes:
        alpha: array (T + 1,), a_t.
        sigma: array (T + 1,), s_t.
        posterior_variance: array (T + 1,), v_t.
        variance: array (T + 1,), of p; entry 0 is not used.
    """

    def __init__(
        self,
        betas: Array,
        variance: str | Array = "beta",
        first_variance: str = "posterior",
    ) -> None:
        self.num_steps = len(betas)
        self.beta = np.concatenate([[0.0], betas])
        log_alpha_bar = np.cumsum(np.log1p(-self.beta))
        self.alpha = np.exp(0.5 * log_alpha_bar)
        self.sigma = np.sqrt(-np.expm1(log_alpha_bar))
        t, s = np.arange(1, self.num_steps + 1), np.arange(self.num_steps)
        mean_x, _, self.posterior_variance = (
            np.concatenate([[0.0], table]) for table in self.posterior(t, s)
        )
        self.variance = self._variance_of_p(variance, first_variance)
        # log(1 - alpha_bar), which log(sigma) would round.
        log_variance = np.log1p(-np.exp(log_alpha_bar[-1]))
        self.prior_constant = -0.5 * (log_variance + self.alpha[-1] ** 2)
        self._set_kl_tables(mean_x)

    def posterior(self, t: Array, s: Array) -> tuple[Array, Array, Array]:
        """q(x_s | x_t, x_0) for s < t: arrays A, B, v, as in the module.

        Args:
            t, s: int arrays.
        """
        variance_s, variance_t = self.sigma[s] ** 2, self.sigma[t] ** 2
        ratio = self.alpha[t] / self.alpha[s]
        beta = variance_t - ratio**2 * variance_s
        return (
            self.alpha[s] * beta / variance_t,
            ratio * variance_s / variance_t,
            beta * variance_s / variance_t,
        )

    def _variance_of_p(self, variance, first_variance):
        if not isinstance(variance, str):
            return np.concatenate([[0.0], variance])
        tables = {"beta": self.beta, "posterior": self.posterior_variance}
        table = tables[variance].copy()
        table[1] = self.beta[1]
        if first_variance == "posterior" and self.num_steps > 1:
            table[1] = self.posterior_variance[2]
        return table

    def _set_kl_tables(self, mean_x):
        """KL(q || p) of step t = constant_t * D + weight_t * ||error||**2."""
        self.kl_constant = np.zeros(self.num_steps + 1)
        self.kl_weight = np.zeros(self.num_steps + 1)
        inner = slice(2, None)
        ratio = self.posterior_variance[inner] / self.variance[inner]
        self.kl_constant[inner] = 0.5 * (ratio - 1.0 - np.log(ratio))
        self.kl_weight[inner] = mean_x[inner] ** 2 / (2 * self.variance[inner])

    # === Predictions ===

    def at(self, table: Array, t: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """Entries t of a table, in the dtype of `like`, one for each row.

        Args:
            table: float64 array (T + 1,).
            t: int tensor (batch,) or ().
            like: tensor (batch, ...), which the result broadcasts against.
        """
        values = tf.gather(tf.constant(table, like.dtype), t)
        if values.shape.rank == 0:
            return values
        return tf.reshape(values, [-1] + [1] * (like.shape.rank - 1))

    def diffuse(
        self, x: tf.Tensor, noise: tf.Tensor, t: tf.Tensor
    ) -> tf.Tensor:
        """x_t of the data x and standard normal noise: (batch, ...).

        Args:
            x, noise: tensors (batch, ...).
            t: int tensor (batch,) or ().
        """
        alpha, sigma = (self.at(c, t, x) for c in (self.alpha, self.sigma))
        return alpha * x + sigma * noise

    def target(
        self, kind: str, x: tf.Tensor, noise: tf.Tensor, t: tf.Tensor
    ) -> tf.Tensor:
        """What a network of this kind ought to predict from x_t.

        Args:
            kind: "noise", "x", or "v": a_t noise - s_t x.
            x: tensor (batch, ...), the data.
            noise: tensor (batch, ...).
            t: int tensor (batch,) or ().
        """
        if kind == "noise":
            return noise
        if kind == "x":
            return x
        alpha, sigma = (self.at(c, t, x) for c in (self.alpha, self.sigma))
        return alpha * noise - sigma * x

    def predicted_x(
        self, kind: str, prediction: tf.Tensor, x_t: tf.Tensor, t: tf.Tensor
    ) -> tf.Tensor:
        """x_hat, the data as a network predicts it: (batch, ...).

        Args:
            kind: as in `target`.
            prediction: tensor (batch, ...), the network's output.
            x_t: tensor (batch, ...).
            t: int tensor (batch,) or ().
        """
        if kind == "x":
            return prediction
        alpha, sigma = (self.at(c, t, x_t) for c in (self.alpha, self.sigma))
        if kind == "noise":
            return (x_t - sigma * prediction) / alpha
        return alpha * x_t - sigma * prediction

    def error_scale(self, kind: str) -> Array:
        """Table of (x_hat - x) / (prediction - target).

        A difference of predictions keeps the digits that one of x_hat and x
        would lose at small t.
        """
        return {
            "noise": -self.sigma / self.alpha,
            "x": np.ones_like(self.sigma),
            "v": -self.sigma,
        }[kind]

    # === Terms of the bound, nats ===

    def prior_nats(self, x: tf.Tensor) -> tf.Tensor:
        """KL(q(x_T | x) || N(0, I)) of each example: tensor (batch,)."""
        scale = 0.5 * self.alpha[-1] ** 2
        square = _sum_event(tf.square(x))
        return self.prior_constant * _size(x) + scale * square

    def step_nats(self, kind: str, error: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """KL(q(x_{t-1} | x_t, x) || p(x_{t-1} | x_t)), 0 at t = 1.

        Args:
            kind: what the network predicts.
            error: tensor (batch, ...), prediction - target.
            t: int tensor (batch,) or ().

        Returns:
            Tensor (batch,).
        """
        weight = self.kl_weight * self.error_scale(kind) ** 2
        weight = tf.gather(tf.constant(weight, error.dtype), t)
        constant = tf.gather(tf.constant(self.kl_constant, error.dtype), t)
        return constant * _size(error) + weight * _sum_event(tf.square(error))

    def noise_error(
        self, kind: str, error: tf.Tensor, t: tf.Tensor
    ) -> tf.Tensor:
        """||noise_hat - noise||**2 of each example: tensor (batch,).

        Args:
            kind, error, t: as in `step_nats`.
        """
        # From an error of the prediction to one of x, and to one of noise.
        weight = np.zeros_like(self.sigma)
        weight[1:] = (
            self.error_scale(kind)[1:] * self.alpha[1:] / self.sigma[1:]
        ) ** 2
        weight = tf.gather(tf.constant(weight, error.dtype), t)
        return weight * _sum_event(tf.square(error))


def _size(x):
    """Numbers in an example, in the dtype of x."""
    return tf.cast(tf.reduce_prod(tf.shape(x)[1:]), x.dtype)


def _sum_event(x):
    return tf.reduce_sum(x, axis=list(range(1, x.shape.rank)))
