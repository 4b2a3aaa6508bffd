"""Numbers that describe a trained model."""

from keras_vae.metrics import disentanglement
from keras_vae.metrics.active_units import ActiveUnits
from keras_vae.metrics.active_units import active_units
from keras_vae.metrics.bits_per_dim import bits_per_dim
from keras_vae.metrics.codebook_usage import CodebookUsage
from keras_vae.metrics.kl_per_dimension import kl_per_dimension
from keras_vae.metrics.units_by_level import LevelUnits
from keras_vae.metrics.units_by_level import means_by_level
from keras_vae.metrics.units_by_level import units_by_level

__all__ = [
    "ActiveUnits",
    "CodebookUsage",
    "LevelUnits",
    "active_units",
    "bits_per_dim",
    "disentanglement",
    "kl_per_dimension",
    "means_by_level",
    "units_by_level",
]
