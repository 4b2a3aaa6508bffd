"""Clipping that means the same on one replica and on many."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae import random


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[Any],
    variables: Sequence[keras.Variable],
) -> None:
    """Applies the sum over replicas of `gradients` to `variables`.

    The optimizer would clip each replica's part before it sums them. Here the
    sum is clipped with the optimizer's own settings and handed over in equal
    shares, which the optimizer's own clipping then leaves alone.

    Raises:
        ValueError: If the optimizer accumulates gradients under a strategy.
    """
    _check_accumulation(optimizer)
    pairs = [
        (gradient, variable)
        for gradient, variable in zip(gradients, variables, strict=True)
        if gradient is not None
    ]
    if not pairs:
        return
    gradients, variables = (list(part) for part in zip(*pairs, strict=True))
    # An embedding has slices, which repeat a row: neither their norm nor their
    # squares, which Keras's optimizers take, are those of their sum.
    gradients = [tf.convert_to_tensor(g) for g in gradients]
    replicas = random.num_replicas()
    if replicas > 1:
        gradients = random.all_reduce_sum(gradients)
        gradients = [g / replicas for g in _clip(optimizer, gradients)]
    optimizer.apply(gradients, variables)


def _check_accumulation(optimizer):
    # Keras applies them in a branch of the graph, where replicas cannot meet.
    steps = _inner(optimizer).gradient_accumulation_steps
    if steps and tf.distribute.has_strategy():
        raise ValueError(
            "Gradients cannot be accumulated under a `tf.distribute` strategy: "
            "give `fit` the larger batch, which the replicas share. Received: "
            f"gradient_accumulation_steps={steps}"
        )


def _inner(optimizer):
    return getattr(optimizer, "inner_optimizer", optimizer)


def _clip(optimizer, gradients):
    scale = 1.0
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        scale = tf.cast(optimizer.scale_loss(1.0), "float32")
    optimizer = _inner(optimizer)
    if optimizer.clipnorm is not None:
        bound = optimizer.clipnorm * scale
        return [tf.clip_by_norm(g, bound) for g in gradients]
    if optimizer.global_clipnorm is not None:
        bound = optimizer.global_clipnorm * scale
        return tf.clip_by_global_norm(gradients, bound)[0]
    if optimizer.clipvalue is not None:
        bound = optimizer.clipvalue * scale
        return [tf.clip_by_value(g, -bound, bound) for g in gradients]
    return gradients
