"""Figures as files."""

import io
import pathlib

from keras_vae.callbacks.writing import atomic_file
from keras_vae.typing import Figure
from keras_vae.typing import PathLike


def save_figure(figure: Figure, path: PathLike, dpi: int = 150) -> None:
    """Write a figure to a file, atomically.

    Args:
        figure: `matplotlib.figure.Figure`.
        path: The file; its suffix chooses the format (.png, .pdf, .svg).
            Missing folders are made.
        dpi: Dots per inch. Defaults to 150.
    """
    path = pathlib.Path(path)
    data = io.BytesIO()
    figure.savefig(data, format=path.suffix.removeprefix(".") or "png", dpi=dpi)
    with atomic_file(path) as file:
        file.write(data.getvalue())
