"""Keras models whose objective is a weighted sum of named terms."""

from keras_vae.models.autoencoder import Autoencoder
from keras_vae.models.base import TermModel
from keras_vae.models.contractive_autoencoder import ContractiveAutoencoder
from keras_vae.models.denoising_autoencoder import DenoisingAutoencoder
from keras_vae.models.gaussian_mixture import GaussianMixture
from keras_vae.models.k_sparse_autoencoder import KSparseAutoencoder
from keras_vae.models.sparse_autoencoder import SparseAutoencoder
from keras_vae.models.vae import VAE

__all__ = [
    "VAE",
    "Autoencoder",
    "ContractiveAutoencoder",
    "DenoisingAutoencoder",
    "GaussianMixture",
    "KSparseAutoencoder",
    "SparseAutoencoder",
    "TermModel",
]
