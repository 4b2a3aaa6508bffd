from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.typing import Shape
from keras_vae.typing import TensorLike


@keras.saving.register_keras_serializable(package="keras_vae")
class PrecisionWeightedMerge(keras.layers.Layer):
    """Product of two normal distributions, normalised.

    1 / v = 1 / v_a + 1 / v_b
    m = v * (m_a / v_a + m_b / v_b)

    It has no weights. Variances may be as far apart as float32 allows; an
    infinite one says nothing.

    Call arguments:
        inputs: list [mean_a, variance_a, mean_b, variance_b].

    Input shape:
        Four tensors (batch, ...) of equal shape; variances positive.

    Output shape:
        Tuple (mean, variance), (batch, ...) each

    Example:
    >>> merge = keras_vae.layers.PrecisionWeightedMerge()
    >>> a, one, b = np.zeros((1, 1)), np.ones((1, 1)), np.full((1, 1), 4.0)
    >>> [float(t[0, 0]) for t in merge([a, one, b, one])]
    [2.0, 0.5]

    Reference:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, 2016, equations 18-19.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def call(self, inputs: Sequence[TensorLike]) -> tuple[tf.Tensor, tf.Tensor]:
        mean_a, variance_a, mean_b, variance_b = inputs
        a_first = variance_a <= variance_b

        def in_order(a, b):
            return tf.where(a_first, a, b), tf.where(a_first, b, a)

        small, large = in_order(variance_a, variance_b)
        near, far = in_order(mean_a, mean_b)
        # At most 1: neither products nor inverses can overflow.
        ratio = small / large
        share = ratio / (1.0 + ratio)
        return near + share * (far - near), small / (1.0 + ratio)

    def compute_output_shape(
        self, input_shape: Sequence[Shape]
    ) -> tuple[Shape, Shape]:
        return tuple(input_shape[0]), tuple(input_shape[1])
