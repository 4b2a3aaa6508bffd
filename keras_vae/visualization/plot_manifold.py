"""What a two-dimensional code space decodes to."""

import statistics

import keras
import numpy as np

from keras_vae.typing import Figure
from keras_vae.visualization.image_grid import image_grid


def plot_manifold(model: keras.Model, columns: int = 20) -> Figure:
    """Show the decoded images of a grid over a two-dimensional code space.

    The grid has equal probability between its lines under a standard normal
    prior: coordinate i is its quantile at (i + 1/2) / columns. The first unit
    grows to the right, the second upwards.

    Args:
        model: A model of images with `decode`, with codes of 2 dimensions.
        columns: Images in a row and in a column. Defaults to 20.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ValueError: If the model has another `latent_dim`, or decodes to other
            than images with 1 or 3 channels.

    Reference:
        Kingma, Welling, 2014, Auto-Encoding Variational Bayes, appendix A.
    """
    if model.latent_dim != 2:
        raise ValueError(
            "`model` must have a code of 2 dimensions; see `plot_traversals` "
            f"for more. Received: model with latent_dim={model.latent_dim}"
        )
    normal = statistics.NormalDist()
    line = [normal.inv_cdf((i + 0.5) / columns) for i in range(columns)]
    second, first = np.meshgrid(line[::-1], line, indexing="ij")
    codes = np.stack([first, second], axis=-1).reshape(-1, 2)
    images = model.decode(codes.astype("float32"))
    return image_grid(images, columns)
