"""Sprites: binary images with known factors of variation."""

import math
import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from keras_vae.arguments import plain_name
from keras_vae.arguments import positive_int
from keras_vae.datasets.factor_images import FactorImages
from keras_vae.datasets.factor_images import pack
from keras_vae.npz import open_npz
from keras_vae.npz import read_header
from keras_vae.typing import Array
from keras_vae.typing import PathLike

_FACTORS = ("shape", "scale", "orientation", "x", "y")
_DSPRITES = (3, 6, 40, 32, 32)
_ROWS_AT_ONCE = 4096


def sprites(
    size: int = 16,
    num_scales: int = 3,
    num_orientations: int = 4,
    num_positions: int = 8,
) -> FactorImages:
    """Draw small sprites: a square, an ellipse and a triangle.

    Each combination of shape, scale, orientation and position is one image,
    like those of dSprites, in a second instead of a download.

    Args:
        size: Height and width, at least 8.
        num_scales: Scales from 0.6 to 1.
        num_orientations: Angles of a quarter turn, which all shapes show.
        num_positions: Positions along each axis.

    Returns:
        `FactorImages` with factors shape, scale, orientation, x and y.

    Raises:
        ValueError: If a number is not a positive integer or too small.

    Example:
    >>> keras_vae.datasets.sprites(size=16).factor_sizes
    (3, 3, 4, 8, 8)
    """
    positive_int("size", size, at_least=8)
    sizes = (
        3,
        positive_int("num_scales", num_scales),
        positive_int("num_orientations", num_orientations),
        positive_int("num_positions", num_positions),
        num_positions,
    )
    _, scale, turn, x, y = np.meshgrid(
        np.zeros(1),
        np.linspace(0.6, 1.0, sizes[1]),
        np.arange(sizes[2]) / sizes[2] * np.pi / 2,
        *[np.linspace(-1.0, 1.0, num_positions)] * 2,
        indexing="ij",
    )
    # In units of half an image: the largest sprite stays inside.
    radius = 0.45
    reach = 1.0 - radius
    places = (np.arange(size) + 0.5) / size * 2.0 - 1.0
    scale, turn, x, y = (
        values.reshape(-1, 1, 1) for values in (scale, turn, x, y)
    )
    right = (places[None, None, :] - reach * x) / (radius * scale)
    down = (places[None, :, None] - reach * y) / (radius * scale)
    u = np.cos(turn) * right + np.sin(turn) * down
    v = np.cos(turn) * down - np.sin(turn) * right
    square = np.maximum(abs(u), abs(v)) <= 0.7
    ellipse = u**2 + (v / 0.55) ** 2 <= 1.0
    # Of a base and a height of 1.5, about its middle.
    triangle = (v <= 0.7) & (2.0 * abs(u) - v <= 0.8)
    images = np.concatenate([square, ellipse, triangle])[..., np.newaxis]
    return FactorImages(images.astype("uint8"), sizes, _FACTORS)


def load_dsprites(
    data_dir: PathLike | None = None, name: str = "dsprites.npz"
) -> FactorImages:
    """Read dSprites: 737280 binary images of 64x64 with five factors.

    Images are read a few at a time and kept as bits, 378 MB in the place of
    3 GB.

    Args:
        data_dir: Folder of the file; None takes the environment variable
            KERAS_VAE_DATA.
        name: Name of the .npz file, with `imgs` in the original order.

    Returns:
        `FactorImages` with factors shape, scale, orientation, x and y; the
        colour is constant and left out.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it does not hold these images, or no folder is given, or
            the name is none of a file.

    Reference:
        Matthey, Higgins, Hassabis, Lerchner, 2017.
    """
    folder = data_dir or os.environ.get("KERAS_VAE_DATA")
    if not folder:
        raise ValueError(
            "`data_dir` must be the folder of the file, or KERAS_VAE_DATA be "
            f"set. Received: data_dir={data_dir!r}"
        )
    path = pathlib.Path(folder) / plain_name("name", name)
    with open_npz(path) as (archive, members):
        if "imgs" not in members:
            raise ValueError(f"it holds {sorted(members)}, and not `imgs`")
        with archive.open(members["imgs"]) as file:
            bits = _packed_rows(file, members["imgs"])
    return FactorImages(bits, _DSPRITES, _FACTORS, (64, 64, 1))


def _packed_rows(file: Any, member: zipfile.ZipInfo) -> Array:
    """Bits of the images of an .npy file, which is read row after row."""
    shape, fortran, dtype = read_header(file, member)
    expected = (math.prod(_DSPRITES), 64, 64)
    if shape != expected or fortran or dtype != np.uint8:
        raise ValueError(
            f"`imgs` must be uint8 of shape {expected}, and is {dtype} of "
            f"shape {shape}"
        )
    bits = np.empty((shape[0], 64 * 64 // 8), "uint8")
    for start in range(0, shape[0], _ROWS_AT_ONCE):
        count = min(_ROWS_AT_ONCE, shape[0] - start)
        data = file.read(count * 64 * 64)
        if len(data) < count * 64 * 64:
            raise ValueError("`imgs` ends too early")
        rows = np.frombuffer(data, "uint8").reshape(count, 64, 64, 1)
        bits[start : start + count] = pack(rows)
    # At the end, not before, the checksum is compared.
    file.read(1)
    return bits
