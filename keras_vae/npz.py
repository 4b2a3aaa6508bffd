"""Reading of .npz files that somebody else may have written.

NumPy's own reader allocates what a header claims, and its errors do not name
the file.
"""

import contextlib
import math
import zipfile
from collections.abc import Collection
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_vae.typing import Array
from keras_vae.typing import PathLike

# Deflate makes at most this many bytes of one.
_EXPANSION = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1032}


def read_npz(
    path: PathLike, wanted: Collection[str] | None = None
) -> dict[str, Array]:
    """Read arrays from an .npz file.

    Nothing is unpickled, and no more memory is taken than the bytes of the
    file can fill.

    Args:
        path: The file.
        wanted: The keys to read where they exist; None: all.

    Returns:
        Dict from key to array.

    Raises:
        OSError: If the file cannot be opened; it names the file.
        ValueError: If it is damaged, or holds anything but plain arrays.
    """
    with open_npz(path) as (archive, members):
        return {
            key: _read(archive, member)
            for key, member in members.items()
            if wanted is None or key in wanted
        }


@contextlib.contextmanager
def open_npz(
    path: PathLike,
) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """Open an .npz file; what goes wrong inside becomes a ValueError.

    Args:
        path: The file.

    Yields:
        The `zipfile.ZipFile` and a dict from key to its `zipfile.ZipInfo`.

    Raises:
        OSError, ValueError: As `read_npz`.
    """
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield (
                    archive,
                    {
                        member.filename.removesuffix(".npy"): member
                        for member in archive.infolist()
                    },
                )
        # A damaged archive can fail in any of a dozen ways.
        except Exception as error:
            raise ValueError(
                "The file must be an .npz archive of plain arrays, and whole: "
                f"{error or type(error).__name__}. Received: {path}"
            ) from error


def read_header(
    stream: Any, member: zipfile.ZipInfo
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of an array.

    Args:
        stream: The open member of the archive, at its beginning.
        member: `zipfile.ZipInfo`.

    Returns:
        (shape, whether the order is that of Fortran, dtype).

    Raises:
        ValueError: If the data cannot be what the header claims.
    """
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"{member.filename} is of format {version}")
    shape, fortran, dtype = readers[version](stream)
    if dtype.hasobject:
        raise ValueError(f"{member.filename} holds Python objects")
    claimed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or claimed != member.file_size - stream.tell():
        raise ValueError(
            f"{member.filename} claims {dtype} of shape {shape}, "
            f"and has {member.file_size - stream.tell()} bytes"
        )
    expansion = _EXPANSION.get(member.compress_type, 0)
    if member.file_size > expansion * member.compress_size:
        raise ValueError(
            f"{member.filename} claims {member.file_size} bytes, "
            f"and {member.compress_size} are stored"
        )
    return shape, fortran, dtype


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as stream:
        read_header(stream, member)
    with archive.open(member) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        # At the end, not before, the checksum is compared.
        if stream.read(1):
            raise ValueError(f"{member.filename} is too long")
    return array
