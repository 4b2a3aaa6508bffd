"""Keras models whose objective is a weighted sum of named terms."""

from keras_vae.models.autoencoder import Autoencoder
from keras_vae.models.base import TermModel
from keras_vae.models.gaussian_mixture import GaussianMixture
from keras_vae.models.vae import VAE

__all__ = ["VAE", "Autoencoder", "GaussianMixture", "TermModel"]
