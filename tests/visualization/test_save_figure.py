"""Figures become files without a display and without a trace."""

import os

import numpy as np
import pytest

from keras_vae.visualization import image_grid
from keras_vae.visualization import plot_history
from keras_vae.visualization import plot_latent_map
from keras_vae.visualization import save_figure

HEADS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.mark.parametrize("suffix", HEADS)
def test_formats(tmp_path, suffix):
    path = tmp_path / "new" / f"figure.{suffix}"
    save_figure(image_grid(np.zeros((4, 8, 8, 1)), title="zeros"), path, dpi=50)
    assert path.read_bytes().startswith(HEADS[suffix])
    assert os.listdir(path.parent) == [path.name]


def test_a_failure_leaves_the_former_file(tmp_path, monkeypatch):
    path = tmp_path / "figure.png"
    path.write_bytes(b"former")

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_figure(image_grid(np.zeros((1, 8, 8, 1))), path)
    assert path.read_bytes() == b"former"
    assert os.listdir(tmp_path) == ["figure.png"]


def test_pyplot_knows_of_no_figure():
    """It would keep every figure in memory and may ask for a display."""
    from matplotlib import pyplot

    image_grid(np.zeros((4, 8, 8, 1)))
    plot_history({"loss": [1.0]})
    plot_latent_map(np.eye(2), range(2))
    assert pyplot.get_fignums() == []
