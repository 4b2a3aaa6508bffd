"""Autoencoders and variational autoencoders on Keras."""

from importlib import metadata

from keras_vae import callbacks
from keras_vae import datasets
from keras_vae import evaluation
from keras_vae import layers
from keras_vae import likelihoods
from keras_vae import losses
from keras_vae import metrics
from keras_vae import networks
from keras_vae import posteriors
from keras_vae import priors
from keras_vae import schedules
from keras_vae import serving
from keras_vae import stacking
from keras_vae import visualization
from keras_vae.models import TDVAE
from keras_vae.models import VAE
from keras_vae.models import VQVAE
from keras_vae.models import VQVAE2
from keras_vae.models import Autoencoder
from keras_vae.models import BetaVAE
from keras_vae.models import ContractiveAutoencoder
from keras_vae.models import DenoisingAutoencoder
from keras_vae.models import DiffusionModel
from keras_vae.models import GaussianMixture
from keras_vae.models import HierarchicalVAE
from keras_vae.models import KSparseAutoencoder
from keras_vae.models import LadderVAE
from keras_vae.models import PixelSNAIL
from keras_vae.models import SparseAutoencoder
from keras_vae.models import TermModel
from keras_vae.models import VQGenerator
from keras_vae.serving import export_model

__version__ = metadata.version("keras_vae")

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
    "callbacks",
    "datasets",
    "evaluation",
    "export_model",
    "layers",
    "likelihoods",
    "losses",
    "metrics",
    "networks",
    "posteriors",
    "priors",
    "schedules",
    "serving",
    "stacking",
    "visualization",
]
