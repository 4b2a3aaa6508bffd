"""The optimizer that most recipes use."""

import keras


def adam(rate, epochs, data, **kwargs):
    """Adam whose learning rate falls from `rate` to 0 along a cosine.

    Args:
        rate: float, the learning rate of the first step.
        epochs: int, when it is 0.
        data: `harness.Data`.
        **kwargs: Further arguments of `keras.optimizers.Adam`.
    """
    steps = epochs * data.steps_per_epoch
    return keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(rate, steps), **kwargs
    )
