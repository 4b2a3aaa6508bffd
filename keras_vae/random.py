"""Stateless noise that is the same on one replica and on many.

Every draw is a function of a seed, the place where it is drawn (the `site`,
counted while the step is traced) and the position in the *global* batch. A
replica draws the noise of the global batch and keeps its own rows, so one
device and N devices train on the same numbers.
"""

import contextlib
import hashlib
import random as python_random
import threading

import keras
import tensorflow as tf

_ACTIVE = threading.local()


def num_replicas():
    """Number of replicas in sync where this is called (1 outside a step)."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def all_reduce_sum(tensors):
    """Sum of `tensors` (any structure) over the replicas.

    The gradient of this operation is itself such a sum.
    """
    if num_replicas() == 1:
        return tensors
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tensors)


def fresh_seed():
    """An int seed from Python's generator (`keras.utils.set_random_seed`)."""
    return python_random.getrandbits(31)


def as_seed(seed):
    """Returns `seed` as an int32 tensor of shape (2,).

    Args:
        seed: None (a fresh one, see `fresh_seed`), an int, or a pair of ints
            or an integer tensor of shape (2,).
    """
    if seed is None:
        seed = fresh_seed()
    if isinstance(seed, int):
        low, high = seed & 0x7FFFFFFF, (seed >> 31) & 0x7FFFFFFF
        return tf.constant([low, high], "int32")
    seed = tf.convert_to_tensor(seed)
    if seed.shape.rank != 1 or seed.shape[0] != 2 or not seed.dtype.is_integer:
        raise ValueError(
            "`seed` must be None, an int or two integers (stateless). "
            f"Received: seed={seed}"
        )
    return seed


def step_seed(seed, phase, step):
    """Seed of one step: int64 of shape (2,).

    Args:
        seed: int, the model's seed.
        phase: str, such as "train" or "evaluate".
        step: scalar int64 tensor.
    """
    digest = hashlib.blake2b(f"{seed}/{phase}".encode(), digest_size=7)
    key = int.from_bytes(digest.digest(), "big")
    return tf.stack([tf.constant(key, "int64"), tf.cast(step, "int64")])


class Noise:
    """Noise of one step, or of one call of a sampling method.

    Args:
        seed: integer tensor of shape (2,).
        rows: None, or a scalar tensor: number of examples of this replica. If
            given, draws along the batch axis are slices of global draws.
    """

    def __init__(self, seed, rows=None):
        self._seed = seed
        self._site = 0
        self._span = None
        if rows is not None and num_replicas() > 1:
            self._span = self._global_span(rows)

    def fold(self, index):
        """Independent noise of the same rows, for iteration `index`."""
        noise = Noise(
            tf.random.experimental.stateless_fold_in(self.next_seed(), index)
        )
        noise._span = self._span
        return noise

    @staticmethod
    def _global_span(rows):
        context = tf.distribute.get_replica_context()
        index = context.replica_id_in_sync_group
        sizes = all_reduce_sum(
            tf.one_hot(index, context.num_replicas_in_sync, dtype="int32")
            * tf.cast(rows, "int32")
        )
        first = tf.cumsum(sizes, exclusive=True)[index]
        return first, tf.reduce_sum(sizes)

    def next_seed(self):
        """Seed of the next draw site; equal on all replicas."""
        self._site += 1
        return tf.random.experimental.stateless_fold_in(self._seed, self._site)

    def normal(self, shape, axis=0):
        """Standard normal, float32; `axis` is the batch axis of `shape`."""
        return self._draw(tf.random.stateless_normal, shape, axis)

    def uniform(self, shape, axis=0):
        """Uniform in [0, 1), float32; `axis` is the batch axis of `shape`."""
        return self._draw(tf.random.stateless_uniform, shape, axis)

    def _draw(self, function, shape, axis):
        seed = self.next_seed()
        # One algorithm everywhere: "auto" differs between devices.
        if self._span is None:
            return function(shape, seed, alg="philox")
        first, total = self._span
        shape = list(shape)
        local = shape[axis]
        shape[axis] = total
        drawn = function(tf.stack(shape), seed, alg="philox")
        begin = [0] * len(shape)
        size = [-1] * len(shape)
        begin[axis], size[axis] = first, local
        return tf.slice(drawn, tf.stack(begin), tf.stack(size))


@contextlib.contextmanager
def noise_scope(noise):
    """Makes `noise` the one that layers draw from (this thread only)."""
    outer = getattr(_ACTIVE, "noise", None)
    _ACTIVE.noise = noise
    try:
        yield noise
    finally:
        _ACTIVE.noise = outer


def current_noise(seed_generator=None):
    """The noise of the enclosing model step, else one from `seed_generator`.

    Keras's generators hold equal states on all replicas: alone, the replica's
    number is folded in, so that replicas draw different noise.
    """
    noise = getattr(_ACTIVE, "noise", None)
    if noise is not None:
        return noise
    if seed_generator is None:
        raise RuntimeError("Noise is drawn inside `noise_scope` only.")
    seed = tf.cast(keras.ops.convert_to_tensor(seed_generator.next()), "int64")
    context = tf.distribute.get_replica_context()
    if context and context.num_replicas_in_sync > 1:
        seed = tf.random.experimental.stateless_fold_in(
            seed, context.replica_id_in_sync_group
        )
    return Noise(seed)
