"""Mechanisms as layers, usable alone in any Keras model."""

from keras_vae.layers.additive_gaussian_noise import AdditiveGaussianNoise
from keras_vae.layers.bernoulli_sparsity_regularizer import (
    BernoulliSparsityRegularizer,
)
from keras_vae.layers.causal_attention2d import CausalAttention2D
from keras_vae.layers.causal_conv2d import CausalConv2D
from keras_vae.layers.corruption import Corruption
from keras_vae.layers.gated_normal import GatedNormal
from keras_vae.layers.gated_residual import GatedResidual
from keras_vae.layers.k_sparse import KSparse
from keras_vae.layers.masking_noise import MaskingNoise
from keras_vae.layers.normal_head import NormalHead
from keras_vae.layers.pixel_snail_block import PixelSNAILBlock
from keras_vae.layers.precision_weighted_merge import PrecisionWeightedMerge
from keras_vae.layers.salt_and_pepper_noise import SaltAndPepperNoise
from keras_vae.layers.sampling import Sampling
from keras_vae.layers.self_attention import SelfAttention
from keras_vae.layers.sinusoidal_embedding import SinusoidalEmbedding
from keras_vae.layers.tied_dense import TiedDense
from keras_vae.layers.tied_dense import retie
from keras_vae.layers.time_residual import TimeResidual
from keras_vae.layers.vector_quantizer import VectorQuantizer

__all__ = [
    "AdditiveGaussianNoise",
    "BernoulliSparsityRegularizer",
    "CausalAttention2D",
    "CausalConv2D",
    "Corruption",
    "GatedNormal",
    "GatedResidual",
    "KSparse",
    "MaskingNoise",
    "NormalHead",
    "PixelSNAILBlock",
    "PrecisionWeightedMerge",
    "SaltAndPepperNoise",
    "Sampling",
    "SelfAttention",
    "SinusoidalEmbedding",
    "TiedDense",
    "TimeResidual",
    "VectorQuantizer",
    "retie",
]
