from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae import data_checks
from keras_vae import likelihoods
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import architecture
from keras_vae.models.base import TermModel
from keras_vae.models.batching import BatchFunctions
from keras_vae.typing import Array
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class LikelihoodModel(TermModel):
    """Base of the models that reconstruct data under a likelihood.

    A subclass must declare terms and override `compute_terms`, `encode`,
    `decode`, `known_event_shape`, and `build`, which calls the one here.

    Args:
        likelihood: `Likelihood` or its name.
        **kwargs: `seed`, `name`, `dtype`.
    """

    def __init__(self, likelihood: Likelihood | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.likelihood = likelihoods.get(likelihood)
        self._event_shape: tuple[int, ...] | None = None
        self._batches = BatchFunctions(self)

    def encode(self, x: TensorLike) -> tf.Tensor:
        """Deterministic codes of x."""
        raise NotImplementedError

    def decode(self, z: Any) -> tf.Tensor:
        """Mean of p(x | z): float32 tensor (batch, *event_shape)."""
        raise NotImplementedError

    def known_event_shape(self) -> tuple[int, ...] | None:
        """Shape of one example that the networks take, None if not known."""
        raise NotImplementedError

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example; known once the model is built."""
        if self._event_shape is None:
            raise ValueError(
                f"{type(self).__name__} is not built: call it on a batch, or "
                "`build((None, *event_shape))`. Received: built=False"
            )
        return self._event_shape

    def build_if_known(self) -> None:
        """Builds the model, where it was not, for what its networks take.

        Raises:
            ValueError: if they do not say the shape of an example.
        """
        if not self.built:
            shape = self.known_event_shape()
            self.build((None, *(self.event_shape if shape is None else shape)))

    def _decoded(self, z):
        """Raw parameters of p(x | z); the model is built if it can be."""
        if self.known_event_shape() is not None:
            self.build_if_known()
        return self.decoder(z, training=False)

    def build(self, input_shape: Shape) -> None:
        # Before it is kept: a wrong shape must not outlive its error.
        _check_shape(input_shape, self.known_event_shape())
        self._event_shape = tuple(input_shape)[1:]

    def build_likelihood(self, params_shape: Shape) -> None:
        """Checks the shape (batch, ...) of the parameters, and builds."""
        architecture.check_params(
            params_shape[1:], self.event_shape, self.likelihood
        )
        if not self.likelihood.built:
            self.likelihood.build(tuple(params_shape))

    def check_data(self, x: Any, y: Any = None) -> None:
        data_checks.check_one_array(x)
        data_checks.check_target(x, y)
        _check_shape(x.shape, self._event_shape or self.known_event_shape())
        data_checks.check_floats(x, "x")
        if y is None:
            self.likelihood.validate(x, "x")
        else:
            self.likelihood.validate(y, "y")

    def reconstruct(self, x: TensorLike) -> tf.Tensor:
        """Mean of p(x | z) at the code of x: tensor (batch, *event_shape)."""
        return self.decode(self.encode(x))

    def call(self, x: TensorLike, training: bool = False) -> tf.Tensor:
        return self.reconstruct(x)

    def ensure_built(self, x: TensorLike) -> tf.Tensor:
        """x as a tensor; the model is built for it if it was not."""
        x = tf.convert_to_tensor(x)
        data_checks.check_float_dtype(x.dtype, "x")
        if not self.built:
            self.build((None, *x.shape[1:]))
        _check_shape(x.shape, self._event_shape)
        return x

    def exact_data(self, x: TensorLike) -> Array:
        """x as float32 NumPy array, in the support of a normalised p(x | z).

        Raises:
            ValueError: if it is not, or the likelihood is not normalised.
        """
        if isinstance(x, tf.data.Dataset):
            raise ValueError(
                "`x` must be an array, whose examples have an order. "
                "Received: x=a tf.data.Dataset"
            )
        x = np.asarray(x)
        data_checks.check_not_empty(x, "x")
        self.ensure_built(x[:1])
        self.check_data(x)
        self.likelihood.validate_exact(x)
        return x.astype("float32")


def _check_shape(shape: Shape, event_shape: Shape | None) -> None:
    if event_shape is None:
        return
    if not tf.TensorShape(shape)[1:].is_compatible_with(event_shape):
        raise ValueError(
            f"`x` must have shape (batch, *{tuple(event_shape)}), as the "
            f"encoder. Received: x of shape {tuple(shape)}"
        )
