"""Every model of the library, and the same by hand."""

from functools import partial

from benchmarks.subjects import autoencoders
from benchmarks.subjects import beta_vae
from benchmarks.subjects import hierarchies
from benchmarks.subjects import vae
from benchmarks.subjects import vector_quantized
from benchmarks.subjects.diffusion import DiffusionModel
from benchmarks.subjects.gaussian_mixture import GaussianMixture
from benchmarks.subjects.pixel_snail import PixelSNAIL
from benchmarks.subjects.td_vae import TDVAE

#: Callables that make a `Subject`, from sizes other than its defaults.
SUBJECTS = {
    "ae": autoencoders.Autoencoder,
    "denoising_ae": autoencoders.DenoisingAutoencoder,
    "sparse_ae": autoencoders.SparseAutoencoder,
    "k_sparse_ae": autoencoders.KSparseAutoencoder,
    "contractive_ae": autoencoders.ContractiveAutoencoder,
    "vae": vae.DenseVAE,
    "conv_vae": vae.ConvVAE,
    "iwae": vae.IWAE,
    "beta_vae_capacity": beta_vae.BetaVAE,
    "beta_vae_weighted": partial(beta_vae.BetaVAE, objective="weighted"),
    "beta_vae_discriminator": partial(
        beta_vae.BetaVAE, objective="discriminator"
    ),
    "hierarchical_vae": hierarchies.HierarchicalVAE,
    "ladder_vae": hierarchies.LadderVAE,
    "diffusion": DiffusionModel,
    "gaussian_mixture": GaussianMixture,
    "vq_vae": vector_quantized.VQVAE,
    "vq_vae2": vector_quantized.VQVAE2,
    "pixel_snail": PixelSNAIL,
    "td_vae": TDVAE,
}
