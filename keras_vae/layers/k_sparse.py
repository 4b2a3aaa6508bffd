import numbers
from typing import Any
from typing import Self

import keras
import tensorflow as tf

from keras_vae.arguments import positive
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike

#: Leading bits of float32 that tell the values of these dtypes apart.
_SIGNIFICANT_BITS = {"bfloat16": 16, "float16": 19}


@keras.saving.register_keras_serializable(package="keras_vae")
class KSparse(keras.layers.Layer):
    """Keeps the k largest activations of the last axis, zero elsewhere.

    y_i = x_i if x_i is one of the k largest (signed) values, else 0

    Of equal values the one with the lowest index is kept first, so that there
    are exactly k. The gradient passes through the kept ones only.

    Args:
        k: int in [1, width], or a `keras.optimizers.schedules.
            LearningRateSchedule` evaluated at `step`, rounded and clipped to
            [1, width].
        inference_alpha: float > 0. At inference round(inference_alpha * k)
            are kept, at most all.

    Attributes:
        step: saved int64 weight, the number of training calls; in a
            `KSparseAutoencoder` the step of the model.

    Call arguments:
        x: float tensor (batch, ..., width).
        training: bool. The k of training, and one more call counted.

    Input shape:
        (batch, ..., width)

    Output shape:
        (batch, ..., width)

    Raises:
        ValueError: if `k` is not in [1, width] (of a schedule, its value at
            step 0), or `inference_alpha` is not positive.

    Example:
    >>> layer = keras_vae.layers.KSparse(2)
    >>> layer(np.array([[3.0, -9.0, 1.0, 2.0, 2.0]])).numpy().tolist()
    [[3.0, 0.0, 0.0, 2.0, 0.0]]

    Reference:
        Makhzani, Frey, 2014, section 2.1; section 4.2.1 for the schedule.
    """

    def __init__(
        self,
        k: int | keras.optimizers.schedules.LearningRateSchedule,
        inference_alpha: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        schedule = keras.optimizers.schedules.LearningRateSchedule
        if not isinstance(k, (numbers.Integral, schedule)) or k is True:
            raise ValueError(
                "`k` must be an int or a Keras LearningRateSchedule. "
                f"Received: k={k!r}"
            )
        if not callable(k) and k < 1:
            raise ValueError(f"`k` must be at least 1. Received: k={k}")
        positive("inference_alpha", inference_alpha)
        self.k = k if callable(k) else int(k)
        self.inference_alpha = inference_alpha
        self.step: keras.Variable = None

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ValueError(
                "KSparse needs inputs (batch, ..., width) of known width. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        self._width = input_shape[-1]
        with tf.init_scope():
            first = float(self.k(0)) if callable(self.k) else self.k
        if not 1 <= round(first) <= self._width:
            at = " at step 0" if callable(self.k) else ""
            raise ValueError(
                f"`k` must be in [1, width]{at}. Received: k={first:g}, "
                f"width={self._width}"
            )
        if self.step is None:
            self.step = self.add_weight(
                name="step",
                shape=(),
                dtype="int64",
                initializer="zeros",
                trainable=False,
                autocast=False,
                aggregation="only_first_replica",
            )

    def count_steps_with(self, step: keras.Variable) -> None:
        """Makes a model's step this layer's; before `build`.

        There is one counter then, and it is the model that moves it.
        """
        self.step = step

    def current_k(self, training: bool = False) -> int | tf.Tensor:
        """How many are kept at this step: int, or () int32 of a schedule."""
        alpha = 1.0 if training else self.inference_alpha
        if not callable(self.k):
            return min(max(round(alpha * self.k), 1), self._width)
        k = tf.round(tf.cast(self.k(self.step), "float32"))
        k = tf.clip_by_value(k, 1.0, float(self._width))
        k = tf.clip_by_value(tf.round(alpha * k), 1.0, float(self._width))
        return tf.cast(k, "int32")

    def keep(
        self, x: TensorLike, k: int | tf.Tensor, sort: bool = False
    ) -> tf.Tensor:
        """The k largest of each vector, the rest zero; not counted.

        Args:
            x: float tensor (..., width).
            k: int or () int32 tensor in [1, width].
            sort: bool, whether they are found by sorting: the same ones,
                faster outside of XLA, many times slower within.
        """
        if isinstance(k, int) and k == self._width:
            return x
        rows = tf.reshape(tf.stop_gradient(x), [-1, self._width])
        find = _largest_by_sorting if sort else _largest
        kept = tf.reshape(find(rows, k), tf.shape(x))
        # Not a product with zeros: infinities would become NaN.
        return tf.where(kept, x, tf.zeros([], x.dtype))

    def call(self, x: TensorLike, training: bool = False) -> tf.Tensor:
        y = self.keep(x, self.current_k(training))
        if training:
            self.step.assign_add(1)
        return y

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "k": keras.saving.serialize_keras_object(self.k),
            "inference_alpha": self.inference_alpha,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        k = keras.saving.deserialize_keras_object(config["k"])
        return cls(**{**config, "k": k})


def _largest(x, k):
    """Whether each entry of a matrix is one of the k largest of its row.

    Sorting (`tf.math.top_k`) takes longer than a training step under XLA on
    CPU, and there wants a k known beforehand. Here the k-th largest value is
    found by bisection over the bits of the floats: it is the largest t with
    at least k entries >= t. That takes 32 passes at most, and most often some
    20, until exactly k entries remain in each row.

    Args:
        x: float tensor (rows, width).
        k: int or scalar int32 tensor in [1, width].

    Returns:
        bool tensor (rows, width), k True in each row.
    """
    bits = _SIGNIFICANT_BITS.get(x.dtype.name)
    key = _ordered(x)
    total = 8 * key.dtype.size
    last = total - (bits or total)
    # As a product with ones, which is several times faster than a sum.
    ones = tf.ones([x.shape[-1], 1])

    def count(where):
        return tf.cast(tf.matmul(tf.cast(where, "float32"), ones), "int32")

    def unfinished(bit, threshold, kept):
        return (bit >= last) & tf.reduce_any(kept > k)

    def halve(bit, threshold, kept):
        one = tf.bitwise.left_shift(tf.ones([], key.dtype), bit)
        higher = tf.bitwise.bitwise_xor(threshold, one)
        above = count(key >= higher)
        enough = above >= k
        return (
            bit - 1,
            tf.where(enough, higher, threshold),
            tf.where(enough, above, kept),
        )

    everything = tf.fill([tf.shape(x)[0], 1], x.shape[-1])
    _, threshold, kept = tf.while_loop(
        unfinished,
        halve,
        [
            tf.constant(total - 1, key.dtype),
            tf.fill([tf.shape(x)[0], 1], key.dtype.min),
            everything,
        ],
    )

    def without_ties():
        return key >= threshold

    def with_ties():
        above = key > threshold
        tied = key == threshold
        place = tf.cumsum(tf.cast(tied, "int32"), axis=-1)
        return above | (tied & (place <= k - count(above)))

    exact = tf.reduce_all(tf.equal(kept, k))
    return tf.cond(exact, without_ties, with_ties)


def _largest_by_sorting(x, k):
    """As `_largest`; of equal entries `tf.math.top_k` takes the first too."""
    column = tf.math.top_k(_ordered(x), k, sorted=False).indices
    row = tf.range(tf.shape(x)[0])[:, tf.newaxis]
    place = tf.stack([tf.broadcast_to(row, tf.shape(column)), column], axis=-1)
    return tf.scatter_nd(place, tf.ones_like(column, "bool"), tf.shape(x))


def _ordered(x):
    """Integers in the order of the floats: -0 as 0, NaN above everything."""
    # A NaN that is kept stops the training; one that is dropped hides.
    wide = "float64" if x.dtype == "float64" else "float32"
    bits = tf.bitcast(tf.cast(x, wide), wide.replace("float", "int"))
    # The sign bit becomes a sign: floats are no two's complement.
    key = tf.where(bits < 0, bits.dtype.min - bits, bits)
    return tf.where(tf.math.is_nan(x), bits.dtype.max, key)
