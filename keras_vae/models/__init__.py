"""Keras models whose objective is a weighted sum of named terms."""

from keras_vae.models.autoencoder import Autoencoder
from keras_vae.models.base import TermModel
from keras_vae.models.beta_vae import BetaVAE
from keras_vae.models.contractive_autoencoder import ContractiveAutoencoder
from keras_vae.models.denoising_autoencoder import DenoisingAutoencoder
from keras_vae.models.diffusion_model import DiffusionModel
from keras_vae.models.gaussian_mixture import GaussianMixture
from keras_vae.models.hierarchical_vae import HierarchicalVAE
from keras_vae.models.k_sparse_autoencoder import KSparseAutoencoder
from keras_vae.models.ladder_vae import LadderVAE
from keras_vae.models.pixel_snail import PixelSNAIL
from keras_vae.models.sparse_autoencoder import SparseAutoencoder
from keras_vae.models.td_vae import TDVAE
from keras_vae.models.vae import VAE
from keras_vae.models.vq_generator import VQGenerator
from keras_vae.models.vq_vae import VQVAE
from keras_vae.models.vq_vae2 import VQVAE2

__all__ = [
    "TDVAE",
    "VAE",
    "VQVAE",
    "VQVAE2",
    "Autoencoder",
    "BetaVAE",
    "ContractiveAutoencoder",
    "DenoisingAutoencoder",
    "DiffusionModel",
    "GaussianMixture",
    "HierarchicalVAE",
    "KSparseAutoencoder",
    "LadderVAE",
    "PixelSNAIL",
    "SparseAutoencoder",
    "TermModel",
    "VQGenerator",
]
