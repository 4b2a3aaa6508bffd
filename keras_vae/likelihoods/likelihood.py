from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import data_checks
from keras_vae.losses import sum_event
from keras_vae.losses.reductions import flatten_event
from keras_vae.typing import Array
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class Likelihood(keras.layers.Layer):
    """Base of p(x | z): turns raw decoder output into a distribution over x.

    A subclass must override `distribution`; it may override `params_shape`,
    `mean`, `validate` and, for a faster or stabler form, `log_prob`, or
    `pointwise_log_prob` where it is `factorized`. Weights are created in
    `build`. All computations are in float32.

    Attributes:
        discrete: bool, whether log p(x) is a probability (bits/dim exist).
        normalized: bool, whether log p(x) exists at all.
        factorized: bool, whether log p(x | z) is a sum over the elements of
            x; `distribution` is a `tfd.Independent` of scalars then.
        elementwise: bool, whether `pointwise_log_prob` takes one parameter for
            each element of x, in any shape: `log_prob` gives it flat events.
        bounded_activations: names of activations that a decoder must not end
            in, since its output is read as logits.
    """

    discrete = False
    normalized = True
    factorized = False
    elementwise = False
    bounded_activations: tuple[str, ...] = ()

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of the decoder's output (no batch) for events of a shape."""
        return tuple(event_shape)

    def distribution(self, params: tf.Tensor) -> tfd.Distribution:
        """p(x | z) as a tfd object whose event is all data axes.

        Args:
            params: tensor (..., *params_shape), raw decoder output.
        """
        raise NotImplementedError

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Mean of p(x | z): tensor (..., *event_shape)."""
        return self.distribution(params).mean()

    def log_prob(
        self, params: tf.Tensor, x: TensorLike, training: bool = False
    ) -> tf.Tensor:
        """log p(x | z), nats, summed over the event: float32 tensor (...).

        Args:
            params: tensor (..., *params_shape), raw decoder output.
            x: tensor (batch, *event_shape) that broadcasts against it.
            training: bool, whether running statistics are updated.
        """
        if not self.factorized:
            return self.distribution(params).log_prob(x)
        event_rank = self.event_rank
        if self.elementwise:
            # XLA sums one axis several times faster than three on a CPU.
            params, x = self.flat(params, x)
            event_rank = 1
        return sum_event(
            self.pointwise_log_prob(params, x, training), event_rank
        )

    def flat(
        self, params: tf.Tensor, x: TensorLike
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Parameters and data of an elementwise likelihood, events as rows.

        Args:
            params: tensor (..., *event_shape).
            x: tensor (batch, *event_shape).

        Returns:
            tensors (..., event_size) and (batch, event_size).
        """
        return (
            flatten_event(tf.convert_to_tensor(params), self.event_rank),
            flatten_event(tf.convert_to_tensor(x), self.event_rank),
        )

    def pointwise_log_prob(
        self, params: tf.Tensor, x: TensorLike, training: bool = False
    ) -> tf.Tensor:
        """log p(x_i | z) of each element, nats: float32 (..., *event_shape).

        Args:
            params: as in `log_prob`.
            x: as in `log_prob`.
            training: as in `log_prob`.

        Raises:
            ValueError: if the likelihood is not `factorized`.
        """
        self.check_factorized()
        return self.distribution(params).distribution.log_prob(x)

    def check_factorized(self) -> None:
        """Raises a ValueError if elements of x have no log p of their own."""
        if not self.factorized:
            raise ValueError(
                f"{type(self).__name__} is no product over the elements of "
                "x: they have no log-probabilities to weigh one by one. Use "
                "another likelihood, such as 'bernoulli'. "
                f"Received: likelihood={self.name!r}"
            )

    def validate(self, x: Array, argument: str = "x") -> None:
        """Raises a ValueError if the array `x` is not in the support."""
        data_checks.check_floats(x, argument)

    def validate_exact(self, x: Array, argument: str = "x") -> None:
        """As `validate`, for uses where log p(x) itself is reported."""
        if not self.normalized:
            raise ValueError(
                f"{type(self).__name__} is no normalised likelihood: use "
                "another one, such as Normal(scale='learned'), for "
                "log-likelihoods. "
                f"Received: likelihood={self.name!r}"
            )
        self.validate(x, argument)

    @property
    def event_rank(self) -> int:
        """Number of data axes; known once the layer is built."""
        if not self.built:
            raise ValueError(
                f"{type(self).__name__} is not built: build it with "
                "`build((None, *params_shape))`. Received: built=False"
            )
        return self._event_rank

    def build(self, params_shape: Shape) -> None:
        self._event_rank = len(params_shape) - 1

    def call(self, params: tf.Tensor) -> tf.Tensor:
        return self.mean(params)


def check_range(
    x: Array, low: float, high: float, argument: str, name: str
) -> None:
    """Raises unless low <= x <= high."""
    smallest, largest = np.min(x), np.max(x)
    if smallest < low or largest > high:
        hint = " (divide 8-bit images by 255)" if largest > high + 1 else ""
        raise ValueError(
            f"The {name} likelihood takes `{argument}` in [{low}, {high}]"
            f"{hint}. Received: {argument} between {smallest} and {largest}"
        )
