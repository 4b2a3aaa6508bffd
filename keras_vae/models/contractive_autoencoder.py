from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae import random
from keras_vae.arguments import non_negative
from keras_vae.arguments import positive
from keras_vae.arguments import positive_int
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.losses.jacobian import rademacher
from keras_vae.models import jacobian
from keras_vae.models.autoencoder import Autoencoder
from keras_vae.typing import Array
from keras_vae.typing import Network
from keras_vae.typing import Shape
from keras_vae.typing import Weight


@keras.saving.register_keras_serializable(package="keras_vae")
class ContractiveAutoencoder(Autoencoder):
    """Autoencoder whose code moves little when the data do.

    J(x) = dz/dx,  z = encoder(x)
    contractive_loss  = ||J(x)||_F^2
    second_order_loss = E_noise ||J(x) - J(x + noise)||_F^2,
                        noise ~ N(0, second_order_stddev**2 I)
    loss = reconstruction_loss + weight * contractive_loss
         + second_order_weight * second_order_loss

    There are three ways to the norm, in `evaluate` as in `fit`:

    - "closed_form", for one Dense layer with activation s (linear, relu,
      sigmoid, tanh) behind Flatten and Reshape, costs next to nothing:
      ||J||_F^2 = sum_j s'_j^2 sum_i W_ij^2
    - "jacobian", for any encoder: a backward pass for each code unit.
    - "hutchinson", unbiased: E_v ||J^T v||^2, v_j = -1 or 1; a backward pass
      for each of `num_probes`. Both Jacobians of `second_order_loss` are
      given the same v.

    "auto" takes the first that applies, the second for up to 16 code units.
    Examples must not depend on each other in the encoder, as they do in batch
    normalisation. In mixed precision the closed form is computed in float32,
    the others differentiate in half precision and sum squares in float32.

    Args:
        encoder: Keras model, data (batch, *event) to codes.
        decoder: Keras model, codes to raw likelihood parameters
            (batch, *params_shape): logits, not probabilities. In the paper it
            has the encoder's weights, see `layers.TiedDense`.
        likelihood: `Likelihood` or its name; "squared_error" is the plain sum
            of squares.
        weight: float >= 0, or a `keras.optimizers.schedules.
            LearningRateSchedule` evaluated at `step`.
        method: "auto", "closed_form", "jacobian" or "hutchinson".
        num_probes: int, vectors v of each step and example.
        second_order_weight: as `weight`; at 0 there is no such term.
        second_order_stddev: float > 0.
        second_order_samples: int, noisy copies of each step and example.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z)

    Raises:
        ValueError: if the networks do not fit each other or the likelihood, a
            weight is negative, or the encoder has no closed form where one is
            asked for.

    Example:
    >>> encoder = keras_vae.networks.mlp_encoder((8, 8, 1), (32,), "sigmoid")
    >>> decoder = keras_vae.networks.mlp_decoder(32, (8, 8, 1), units=())
    >>> model = keras_vae.ContractiveAutoencoder(
    ...     encoder, decoder, "bernoulli", weight=0.1
    ... )
    >>> model.jacobian_norm(np.zeros((5, 8, 8, 1), "float32")).shape
    (5,)

    Reference:
        Rifai, Vincent, Muller, Glorot, Bengio, 2011, equation 2; Rifai,
        Mesnil, Vincent, Muller, Bengio, Dauphin, Glorot, 2011, equation 5.
    """

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        likelihood: Likelihood | str = "squared_error",
        weight: Weight = 0.1,
        method: str = "auto",
        num_probes: int = 1,
        second_order_weight: Weight = 0.0,
        second_order_stddev: float = 0.1,
        second_order_samples: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, **kwargs)
        if method not in jacobian.METHODS:
            raise ValueError(
                f"`method` must be one of {list(jacobian.METHODS)}. "
                f"Received: method={method!r}"
            )
        non_negative("weight", weight)
        non_negative("second_order_weight", second_order_weight)
        positive("second_order_stddev", second_order_stddev)
        self.weight = weight
        self.method = method
        self.num_probes = positive_int("num_probes", num_probes)
        self.second_order_weight = second_order_weight
        self.second_order_stddev = second_order_stddev
        self.second_order_samples = positive_int(
            "second_order_samples", second_order_samples
        )
        self.add_term("contractive_loss", weight)
        if second_order_weight != 0.0:
            self.add_term("second_order_loss", second_order_weight)
        self._jacobian: jacobian.Jacobian = None  # type: ignore[assignment]

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self._jacobian = self._choose(self.method)

    def _choose(self, method):
        return jacobian.choose(self.code_layers(), self.latent_shape(), method)

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        def code(x):
            return self.code(x, training)

        probes = None
        if self._jacobian.method == "hutchinson":
            shape = [tf.shape(x)[0], *self.latent_shape()]
            probes = rademacher(random.current_noise(), self.num_probes, shape)
        z, factors = self._jacobian.linearize(code, x, probes)
        target = x if y is None else y
        terms = {
            "reconstruction_loss": self.reconstruction_loss(
                z, target, training
            ),
            "contractive_loss": factors.squared_norm(),
        }
        if "second_order_loss" in self._terms:
            terms["second_order_loss"] = self._second_order_loss(
                code, x, factors, probes
            )
        return terms

    def _second_order_loss(self, code, x, factors, probes):
        noise = random.current_noise()
        distances = []
        for _ in range(self.second_order_samples):
            drawn = noise.normal(tf.unstack(tf.shape(x)))
            _, moved = self._jacobian.linearize(
                code, x + self.second_order_stddev * drawn, probes
            )
            distances.append(factors.squared_distance(moved))
        return tf.add_n(distances) / self.second_order_samples

    def jacobian_norm(self, x: Array, batch_size: int = 100) -> Array:
        """||dz/dx||_F of each example, exact whatever `method` is.

        Without a closed form a batch takes batch_size * code size * data size
        floats of memory.

        Args:
            x: float array (n, *event).
            batch_size: int.

        Returns:
            float32 array (n,).
        """
        batch_size = positive_int("batch_size", batch_size)
        x = np.asarray(x, "float32")
        self.ensure_built(x[:1])
        exact = self._choose("exact")

        def norm(rows, index):
            _, factors = exact.linearize(self.encode, rows)
            return tf.sqrt(factors.squared_norm())

        return self._batches.map("jacobian_norm", norm, x, batch_size)
