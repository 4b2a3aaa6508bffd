"""What layers keep of earlier positions, while a loop writes the next one."""

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

from keras_vae.typing import Scalar


def write(
    cache: tf.Tensor, entry: tf.Tensor, index: Scalar, axis: int = 0
) -> tf.Tensor:
    """`cache` with `entry` at a place, without a copy of the rest.

    In a `tf.while_loop` both operations write in place; each exists on one
    side only. A scatter is the same, and copies the cache outside XLA.

    Args:
        cache: tensor.
        entry: tensor of the shape of `cache`, with size 1 along `axis`.
        index: scalar int32 tensor.
        axis: int.
    """
    begin: list[Scalar] = [0] * cache.shape.rank
    begin[axis] = index
    entry = tf.cast(entry, cache.dtype)
    if GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
        return xla.dynamic_update_slice(cache, entry, tf.stack(begin))
    end: list[Scalar] = [0] * cache.shape.rank
    end[axis] = index + 1
    # All of the other axes.
    mask = 2**cache.shape.rank - 1 - 2**axis
    updated = tf.raw_ops.TensorStridedSliceUpdate(
        input=cache,
        begin=tf.stack(begin),
        end=tf.stack(end),
        strides=[1] * cache.shape.rank,
        value=entry,
        begin_mask=mask,
        end_mask=mask,
    )
    return tf.ensure_shape(updated, cache.shape)
