"""Mechanisms as layers, usable alone in any Keras model."""

from keras_vae.layers.sampling import Sampling

__all__ = ["Sampling"]
