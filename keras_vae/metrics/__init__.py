"""Numbers that describe a trained model."""

from keras_vae.metrics.active_units import ActiveUnits
from keras_vae.metrics.active_units import active_units
from keras_vae.metrics.bits_per_dim import bits_per_dim
from keras_vae.metrics.codebook_usage import CodebookUsage
from keras_vae.metrics.kl_per_dimension import kl_per_dimension

__all__ = [
    "ActiveUnits",
    "CodebookUsage",
    "active_units",
    "bits_per_dim",
    "kl_per_dimension",
]
