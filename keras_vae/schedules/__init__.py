"""Weights that follow `model.step`: Keras learning-rate schedules."""

from keras_vae.schedules.linear_warm_up import LinearWarmUp

__all__ = ["LinearWarmUp"]
