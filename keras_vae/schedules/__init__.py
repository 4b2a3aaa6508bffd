"""Weights that follow `model.step`, and the noise levels of a diffusion."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.registry import lookup
from keras_vae.schedules.cosine_noise import CosineNoise
from keras_vae.schedules.cyclical import Cyclical
from keras_vae.schedules.linear_noise import LinearNoise
from keras_vae.schedules.linear_warm_up import LinearWarmUp
from keras_vae.schedules.noise_schedule import NoiseSchedule
from keras_vae.schedules.tabulated_noise import TabulatedNoise

__all__ = [
    "CosineNoise",
    "Cyclical",
    "LinearNoise",
    "LinearWarmUp",
    "NoiseSchedule",
    "TabulatedNoise",
    "get_noise",
]

_NOISE = {"linear": LinearNoise, "cosine": CosineNoise}


def get_noise(noise_schedule: NoiseSchedule | str | ArrayLike) -> NoiseSchedule:
    """A `NoiseSchedule` from its name or from betas, or the one given."""
    if isinstance(noise_schedule, (Sequence, np.ndarray)) and not isinstance(
        noise_schedule, str
    ):
        return TabulatedNoise(noise_schedule)
    return lookup(noise_schedule, NoiseSchedule, _NOISE, "noise_schedule")
