"""The versions in the folder of a served model."""

import os
import pathlib
import re

from keras_vae.arguments import checked_path
from keras_vae.typing import PathLike


def version_numbers(path: PathLike) -> list[int]:
    """Names that a model server reads as versions, as sorted ints.

    Args:
        path: folder of a model.
    """
    # Beyond 64 bits no server reads a number.
    return sorted(
        int(name)
        for name in os.listdir(path)
        if re.fullmatch("[0-9]{1,18}", name)
    )


def version_folder(path: PathLike, number: int) -> pathlib.Path:
    """The folder of a version, however its number is written ("007")."""
    path = pathlib.Path(path)
    for name in sorted(os.listdir(path)):
        if re.fullmatch(f"0*{number}", name) and (path / name).is_dir():
            return path / name
    raise ValueError(
        f"Version {number} must be a folder in the folder of the model. "
        f"Received: path={str(path)!r}"
    )


def find_version(path: PathLike) -> pathlib.Path:
    """The version that is meant by a folder.

    Args:
        path: folder of a version, or of a model: then its newest version.

    Returns:
        `pathlib.Path` of the folder of the version.

    Raises:
        OSError: if `path` does not exist, is a file, or cannot be read.
        ValueError: if it holds neither a SavedModel nor a version.
    """
    path = checked_path("path", path)
    names = os.listdir(path)
    if "saved_model.pb" in names:
        return path
    numbers = version_numbers(path)
    if not numbers:
        raise ValueError(
            "`path` must hold a saved_model.pb, or versions: folders named by "
            f"numbers. Received: path={str(path)!r}"
        )
    return version_folder(path, numbers[-1])
