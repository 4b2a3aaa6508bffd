from typing import Any

import keras
import tensorflow as tf

from keras_vae import random
from keras_vae.arguments import non_negative
from keras_vae.arguments import proper_fraction
from keras_vae.losses import bernoulli_kl_divergence
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class BernoulliSparsityRegularizer(keras.layers.Layer):
    """Identity that draws the mean activation of each unit to a target.

    loss = beta * sum_j KL(rho || rho_hat_j)
    rho_hat_j = mean of activation j over the global batch

    The units are those of the last axis, the mean is over all others. It is
    meant for activations in [0, 1], of a sigmoid: in eager mode others are an
    error, elsewhere they are not looked at.

    Args:
        rho: float in (0, 1), the target.
        beta: float >= 0, weight of the loss.
        momentum: None, or float in [0, 1) for small batches: in training the
            loss is that of a running mean of rho_hat, with the gradient of
            the batch; in evaluation the batch's own.
        epsilon: float in (0, 0.5); rho_hat is epsilon + (1 - 2 epsilon)
            rho_hat, off 0 and 1, where the gradient would be infinite.

    Call arguments:
        x: float tensor (batch, ..., units) in [0, 1].
        training: bool. Whether the running mean is used and moved.

    Input shape:
        (batch, ..., units)

    Output shape:
        (batch, ..., units)

    Raises:
        ValueError: if an argument is out of its range; in eager mode if an
            activation is not in [0, 1].

    Example:
    >>> layer = keras_vae.layers.BernoulliSparsityRegularizer(0.5, beta=2.0)
    >>> x = layer(np.array([[0.0, 0.5], [1.0, 1.0]], "float32"))
    >>> round(float(layer.losses[0]), 4)  # 2 * (0 + KL(0.5 || 0.75))
    0.2877

    Reference:
        Ng, 2011, CS294A lecture notes, section 3.
    """

    def __init__(
        self,
        rho: float = 0.05,
        beta: float = 3.0,
        momentum: float | None = None,
        epsilon: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0.0 < rho < 1.0:
            raise ValueError(f"`rho` must be in (0, 1). Received: rho={rho}")
        non_negative("beta", beta)
        if momentum is not None:
            proper_fraction("momentum", momentum)
        if not 0.0 < epsilon < 0.5:
            raise ValueError(
                f"`epsilon` must be in (0, 0.5). Received: epsilon={epsilon}"
            )
        self.rho = rho
        self.beta = beta
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: Shape) -> None:
        if self.momentum is None:
            return
        # Zero-debiased: both start at zero, their ratio is the mean.
        self.moving_sum, self.moving_weight = (
            self.add_weight(
                name=name,
                shape=shape,
                dtype="float32",
                initializer="zeros",
                trainable=False,
                autocast=False,
                aggregation="mean",
            )
            for name, shape in (
                ("moving_sum", (input_shape[-1],)),
                ("moving_weight", ()),
            )
        )

    def penalty(self, x: TensorLike, training: bool = False) -> tf.Tensor:
        """sum_j KL(rho || rho_hat_j) over the global batch, without `beta`.

        Args:
            x: float tensor (batch, ..., units) in [0, 1].
            training: bool.

        Returns:
            () float32 tensor, equal on all replicas.
        """
        x = tf.cast(x, "float32")
        _check_range(x)
        total = tf.reduce_sum(x, axis=list(range(x.shape.rank - 1)))
        count = tf.cast(tf.size(x) // x.shape[-1], "float32")
        total, count = random.all_reduce_sum([total, count])
        rho_hat = tf.math.divide_no_nan(total, count)
        if training and self.momentum is not None:
            # The value of the running mean, the gradient of the batch's.
            running = self._running_mean(tf.stop_gradient(rho_hat))
            rho_hat += running - tf.stop_gradient(rho_hat)
        return tf.reduce_sum(
            bernoulli_kl_divergence(self.rho, rho_hat, self.epsilon)
        )

    def _running_mean(self, rho_hat):
        moved = []
        for variable, value in (
            (self.moving_sum, rho_hat),
            (self.moving_weight, 1.0),
        ):
            old = tf.convert_to_tensor(variable)
            new = self.momentum * old + (1.0 - self.momentum) * value
            variable.assign(new)
            moved.append(new)
        return moved[0] / moved[1]

    def call(self, x: TensorLike, training: bool = False) -> tf.Tensor:
        self.add_loss(self.beta * self.penalty(x, training))
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rho": self.rho,
            "beta": self.beta,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }


def _check_range(x):
    """Eager tensors hold values, those of a graph do not."""
    if not tf.executing_eagerly() or tf.size(x) == 0:
        return
    lowest, highest = float(tf.reduce_min(x)), float(tf.reduce_max(x))
    if lowest < 0.0 or highest > 1.0:
        raise ValueError(
            "Activations must be in [0, 1], those of a sigmoid. "
            f"Received: x with values in [{lowest:g}, {highest:g}]"
        )
