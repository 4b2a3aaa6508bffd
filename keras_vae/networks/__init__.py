"""Functions that return built encoders and decoders.

Any Keras model `x -> features` or `z -> raw likelihood parameters` serves as
well; these are the plain ones that most experiments begin with.
"""

from keras_vae.networks.conv import conv_decoder
from keras_vae.networks.conv import conv_encoder
from keras_vae.networks.hierarchy import conv_hierarchy
from keras_vae.networks.hierarchy import conv_latent_shapes
from keras_vae.networks.hierarchy import mlp_hierarchy
from keras_vae.networks.mlp import mlp_decoder
from keras_vae.networks.mlp import mlp_encoder
from keras_vae.networks.residual import residual_decoder
from keras_vae.networks.residual import residual_encoder
from keras_vae.networks.residual import residual_stack
from keras_vae.networks.unet import unet
from keras_vae.networks.vq_vae2 import vq_vae2_networks

__all__ = [
    "conv_decoder",
    "conv_encoder",
    "conv_hierarchy",
    "conv_latent_shapes",
    "mlp_decoder",
    "mlp_encoder",
    "mlp_hierarchy",
    "residual_decoder",
    "residual_encoder",
    "residual_stack",
    "unet",
    "vq_vae2_networks",
]
