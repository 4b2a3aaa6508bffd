from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.arguments import positive
from keras_vae.arguments import positive_int
from keras_vae.priors.prior import Prior
from keras_vae.typing import Shape


@keras.saving.register_keras_serializable(package="keras_vae")
class MixturePrior(Prior):
    """A trainable mixture of diagonal normals; its KL is a sample estimate.

    p(z) = sum_k pi_k N(z; m_k, diag(s_k**2))

    Args:
        num_components: int >= 1, K.
        spread: float > 0, standard deviation of the initial means.

    Call arguments:
        z: tensor (..., latent_dim).

    Input shape:
        (..., latent_dim)

    Output shape:
        (...), log p(z) in nats

    Raises:
        ValueError: if `num_components` or `spread` is not positive.

    Example:
    >>> prior = keras_vae.priors.MixturePrior(5)
    >>> prior(np.zeros((3, 2))).shape
    TensorShape([3])

    Reference:
        Tomczak, Welling, 2018, section 3 (mixture of Gaussians prior).
    """

    def __init__(
        self, num_components: int, spread: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_components = positive_int("num_components", num_components)
        self.spread = positive("spread", spread)

    def build(self, z_shape: Shape, encode_shape: Shape | None = None) -> None:
        super().build(z_shape, encode_shape)
        shape = (self.num_components, z_shape[-1])
        self.logits = self.add_weight(
            name="logits",
            shape=shape[:1],
            initializer="zeros",
            autocast=False,
        )
        self.means = self.add_weight(
            name="means",
            shape=shape,
            initializer=keras.initializers.RandomNormal(stddev=self.spread),
            autocast=False,
        )
        self.log_scales = self.add_weight(
            name="log_scales",
            shape=shape,
            initializer="zeros",
            autocast=False,
        )

    def distribution(
        self, encode: Callable[..., Any] | None = None
    ) -> tfd.Distribution:
        components = tfd.Normal(
            tf.convert_to_tensor(self.means),
            tf.exp(tf.convert_to_tensor(self.log_scales)),
        )
        return tfd.MixtureSameFamily(
            tfd.Categorical(logits=tf.convert_to_tensor(self.logits)),
            tfd.Independent(components, 1),
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_components": self.num_components,
            "spread": self.spread,
        }
