"""Functions that return built encoders and decoders.

Any Keras model `x -> features` or `z -> raw likelihood parameters` serves as
well; these are the plain ones that most experiments begin with.
"""

from keras_vae.networks.conv import conv_decoder
from keras_vae.networks.conv import conv_encoder
from keras_vae.networks.mlp import mlp_decoder
from keras_vae.networks.mlp import mlp_encoder

__all__ = ["conv_decoder", "conv_encoder", "mlp_decoder", "mlp_encoder"]
