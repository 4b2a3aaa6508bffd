"""Samples of a model."""

import keras

from keras_vae.typing import Figure
from keras_vae.typing import Seed
from keras_vae.visualization.image_grid import image_grid


def plot_samples(
    model: keras.Model,
    num: int = 64,
    seed: Seed = 0,
    temperature: float = 1.0,
    columns: int | None = None,
) -> Figure:
    """Show samples of a model.

    Args:
        model: A model of images with `sample(num, seed, temperature)`.
        num: Number of samples. Defaults to 64.
        seed: int. Defaults to 0.
        temperature: As in `sample`. Defaults to 1.
        columns: Images in a row. Defaults to about the square root of `num`.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If the samples are not images with 1 or 3 channels.
    """
    samples = model.sample(num, seed=seed, temperature=temperature)
    return image_grid(samples, columns, "samples")
