"""Image sets as `tf.data` pipelines and as NumPy arrays; synthetic series."""

from keras_vae.datasets.arrays import Arrays
from keras_vae.datasets.binarization import binarize
from keras_vae.datasets.factor_images import FactorImages
from keras_vae.datasets.pipeline import from_arrays
from keras_vae.datasets.pipeline import load
from keras_vae.datasets.sequences import halved_images
from keras_vae.datasets.sequences import harmonic_oscillator
from keras_vae.datasets.sequences import moving_images
from keras_vae.datasets.sequences import pad_sequences
from keras_vae.datasets.sequences import switching_sine
from keras_vae.datasets.sources import load_arrays
from keras_vae.datasets.splits import Splits
from keras_vae.datasets.sprites import load_dsprites
from keras_vae.datasets.sprites import sprites
from keras_vae.datasets.synthetic import moving_digits
from keras_vae.datasets.synthetic import waveforms

__all__ = [
    "Arrays",
    "FactorImages",
    "Splits",
    "binarize",
    "from_arrays",
    "halved_images",
    "harmonic_oscillator",
    "load",
    "load_arrays",
    "load_dsprites",
    "moving_digits",
    "moving_images",
    "pad_sequences",
    "sprites",
    "switching_sine",
    "waveforms",
]
