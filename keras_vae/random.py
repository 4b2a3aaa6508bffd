"""Stateless noise that is the same on one replica and on many.

Every draw is a function of a seed, the place where it is drawn (the `site`,
counted while the step is traced) and the position in the *global* batch. A
replica draws the noise of the global batch and keeps its own rows, so one
device and N devices train on the same numbers.
"""

import contextlib
import hashlib
import math
import numbers
import random as python_random
import threading
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.typing import Scalar
from keras_vae.typing import Seed

_ACTIVE = threading.local()

# XLA extends negative seeds to 64 bits by zeros, other kernels by the sign.
_POSITIVE = 0x7FFFFFFF


def num_replicas() -> int:
    """Number of replicas in sync where this is called (1 outside a step)."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def all_reduce_sum(tensors: Any) -> Any:
    """Sum of `tensors` (any structure) over the replicas.

    The gradient of this operation is itself such a sum.
    """
    if num_replicas() == 1:
        return tensors
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tensors)


def global_span(rows: Scalar) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the `rows` of this replica lie in the global batch.

    Args:
        rows: scalar integer tensor, a number that may differ by replica.

    Returns:
        (first, total): int32 scalars, the number of rows on the replicas
        before this one and on all of them.
    """
    rows = tf.cast(rows, "int32")
    if num_replicas() == 1:
        return tf.zeros_like(rows), rows
    context = tf.distribute.get_replica_context()
    index = context.replica_id_in_sync_group
    sizes = all_reduce_sum(
        tf.one_hot(index, context.num_replicas_in_sync, dtype="int32") * rows
    )
    first = tf.cumsum(sizes, exclusive=True)[index]
    return first, tf.reduce_sum(sizes)


def fresh_seed() -> int:
    """An int seed from Python's generator (`keras.utils.set_random_seed`)."""
    return python_random.getrandbits(31)


def spawn_seeds(seed: int | None, count: int) -> list[int]:
    """Return `count` seeds that follow from one, drawn if that is None.

    It is then drawn from Python's generator, which
    `keras.utils.set_random_seed` sets.
    """
    if seed is None:
        seed = fresh_seed()
    elif not isinstance(seed, numbers.Integral) or seed < 0:
        raise ValueError(
            "`seed` must be None or a non-negative integer. "
            f"Received: seed={seed!r}"
        )
    seeds = np.random.SeedSequence(int(seed)).generate_state(count)
    return [int(s >> 1) for s in seeds]


def as_seed(seed: Seed) -> tf.Tensor:
    """Returns `seed` as an int32 tensor of shape (2,).

    Args:
        seed: None (a fresh one, see `fresh_seed`), an int, or a pair of ints
            or an integer tensor of shape (2,).
    """
    if seed is None:
        seed = fresh_seed()
    if isinstance(seed, numbers.Integral):
        seed = int(seed)
        low, high = seed & _POSITIVE, (seed >> 31) & _POSITIVE
        return tf.constant([low, high], "int32")
    pair = tf.convert_to_tensor(seed)
    if pair.shape.rank != 1 or pair.shape[0] != 2 or not pair.dtype.is_integer:
        raise ValueError(
            "`seed` must be None, an int or two integers (stateless). "
            f"Received: seed={pair}"
        )
    return tf.cast(pair, "int32")


def step_seed(seed: int, phase: str, step: Scalar) -> tf.Tensor:
    """Seed of one step: int32 of shape (2,).

    Args:
        seed: int, the model's seed.
        phase: str, such as "train" or "evaluate".
        step: scalar integer tensor.
    """
    digest = hashlib.blake2b(f"{seed}/{phase}".encode(), digest_size=4)
    key = int.from_bytes(digest.digest(), "big") & _POSITIVE
    return tf.stack([tf.constant(key), tf.cast(step, "int32")])


def fold_in(seed: tf.Tensor, index: Scalar) -> tf.Tensor:
    """The seed number `index` that follows from `seed`: int32 of shape (2,).

    As TensorFlow's function of that name, whose numbers under XLA are others
    than outside; here they are the same.
    """
    seed = tf.cast(seed, "int32")
    # Far apart, so that small seeds and small indices never meet.
    offset = tf.cast(index, "int32") * tf.constant(0x61C88647)
    parent = tf.stack([seed[0] + offset, seed[1]])
    parent = tf.bitwise.bitwise_and(parent, _POSITIVE)
    return tf.bitwise.bitwise_and(_bits([2], parent, "int32"), _POSITIVE)


class Noise:
    """Noise of one step, or of one call of a sampling method.

    Args:
        seed: integer tensor of shape (2,).
        rows: None, or a scalar tensor: number of examples of this replica. If
            given, draws along the batch axis are slices of global draws.
    """

    def __init__(self, seed: tf.Tensor, rows: Scalar | None = None) -> None:
        self._seed = seed
        self._site = 0
        self._span = None
        if rows is not None and num_replicas() > 1:
            self._span = (rows, *global_span(rows))

    def fold(self, index: Scalar) -> "Noise":
        """Independent noise of the same rows, for iteration `index`."""
        noise = Noise(fold_in(self.next_seed(), index))
        noise._span = self._span
        return noise

    def next_seed(self) -> tf.Tensor:
        """Seed of the next draw site; equal on all replicas."""
        self._site += 1
        return fold_in(self._seed, self._site)

    def normal(
        self, shape: Sequence[Scalar] | tf.Tensor, axis: int = 0
    ) -> tf.Tensor:
        """Standard normal, float32; `axis` is the batch axis of `shape`."""
        # The middles of 2**23 intervals: never -1 or 1, where erfinv is not
        # finite. The largest magnitude is 5.3.
        middle = (self._integers(shape, axis) + 0.5) * 2.0**-22 - 1.0
        return math.sqrt(2.0) * tf.math.erfinv(middle)

    def uniform(
        self, shape: Sequence[Scalar] | tf.Tensor, axis: int = 0
    ) -> tf.Tensor:
        """Uniform in [0, 1), float32; `axis` is the batch axis of `shape`."""
        return self._integers(shape, axis) * 2.0**-23

    def shared_uniform(self, shape: Sequence[Scalar] | tf.Tensor) -> tf.Tensor:
        """Uniform in [0, 1), float32, no axis of the batch.

        The numbers are those of all replicas, see `current_noise`.
        """
        return _integers(shape, self.next_seed()) * 2.0**-23

    def _integers(
        self, shape: Sequence[Scalar] | tf.Tensor, axis: int
    ) -> tf.Tensor:
        """Uniform integers below 2**23, as float32.

        TensorFlow's own normal and uniform draws are other numbers under XLA
        than outside, its bits are the same.
        """
        seed = self.next_seed()
        if self._span is None:
            return _integers(shape, seed)
        rows, first, total = self._span
        shape = list(shape)
        local = shape[axis]
        position = tf.range(local)
        # Several samples of each example may be flattened into one axis. Any
        # other size is not of the batch: all replicas draw the same then.
        samples = local // tf.maximum(rows, 1)
        of_batch = tf.equal(samples * rows, local)
        shape[axis] = tf.where(of_batch, samples * total, local)
        # A replica without examples has rows of other sizes only.
        sample = position // tf.maximum(rows, 1)
        row = position - sample * rows
        position = tf.where(of_batch, sample * total + first + row, position)
        return tf.gather(_integers(tf.stack(shape), seed), position, axis=axis)


def _integers(
    shape: Sequence[Scalar] | tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    bits = _bits(shape, seed, "uint32")
    return tf.cast(tf.cast(tf.bitwise.right_shift(bits, 9), "int32"), "float32")


def _bits(
    shape: Sequence[Scalar] | tf.Tensor, seed: tf.Tensor, dtype: str
) -> tf.Tensor:
    # One algorithm everywhere: the default differs between devices.
    return tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=dtype, alg="philox"
    )


@contextlib.contextmanager
def noise_scope(noise: Noise) -> Iterator[Noise]:
    """Makes `noise` the one that layers draw from (this thread only)."""
    outer = getattr(_ACTIVE, "noise", None)
    _ACTIVE.noise = noise
    try:
        yield noise
    finally:
        _ACTIVE.noise = outer


def current_noise(
    seed_generator: keras.random.SeedGenerator | None = None,
    shared: bool = False,
) -> Noise:
    """The noise of the enclosing model step, else one from `seed_generator`.

    Keras's generators hold equal states on all replicas: alone, the replica's
    number is folded in, so that replicas draw different noise, unless it is
    to be `shared`.
    """
    noise = getattr(_ACTIVE, "noise", None)
    if noise is not None:
        return noise
    if seed_generator is None:
        raise RuntimeError("Noise is drawn inside `noise_scope` only.")
    seed = keras.ops.convert_to_tensor(seed_generator.next())
    context = tf.distribute.get_replica_context()
    if context and context.num_replicas_in_sync > 1 and not shared:
        seed = fold_in(seed, context.replica_id_in_sync_group)
    return Noise(seed)
