"""What happens beside training: guards, backups and pictures."""

from keras_vae.callbacks.embedding_projector import EmbeddingProjector
from keras_vae.callbacks.exact_backup import ExactBackup
from keras_vae.callbacks.history_csv import HistoryCSV
from keras_vae.callbacks.image_grid import ImageGrid
from keras_vae.callbacks.non_finite_error import NonFiniteError
from keras_vae.callbacks.posterior_collapse_alarm import PosteriorCollapseAlarm
from keras_vae.callbacks.terminate_on_non_finite import TerminateOnNonFinite
from keras_vae.callbacks.units_per_level import UnitsPerLevel

__all__ = [
    "EmbeddingProjector",
    "ExactBackup",
    "HistoryCSV",
    "ImageGrid",
    "NonFiniteError",
    "PosteriorCollapseAlarm",
    "TerminateOnNonFinite",
    "UnitsPerLevel",
]
