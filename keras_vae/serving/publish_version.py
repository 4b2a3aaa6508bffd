"""Atomic publication of the versions of a served model."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable

from keras_vae.arguments import checked_path
from keras_vae.serving.versions import version_numbers
from keras_vae.typing import PathLike

_PREFIX = ".export-"


def publish_version(
    path: PathLike, write: Callable[[pathlib.Path], object]
) -> pathlib.Path:
    """Publishes a folder as the next version, whole or not at all.

    The files are written and flushed to disk beside the versions, then
    renamed into place: a model server that polls `path` never finds a
    version that is still being written, and a failure leaves no version. What
    an export that was killed has left beside the versions, the next removes.

    Args:
        path: folder that holds the versions, created where missing.
        write: callable that is given an empty folder and fills it.

    Returns:
        The `pathlib.Path` of the version: `path` and the largest version in
        it plus one, from 1 on.

    Raises:
        OSError: (a subclass such as `PermissionError`) before `write` is
            called, if versions cannot be written into `path`.
        ValueError: before `write` is called, if `path` is empty or has zero
            bytes.

    Example:

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> def write(version):
    ...     _ = (version / "weights").write_text("1 2 3")
    >>> [publish_version(folder.name, write).name for _ in range(3)]
    ['1', '2', '3']
    >>> folder.cleanup()
    """
    path = checked_path("path", path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Within `path`, so on its filesystem: a rename across two copies.
        # Servers take names that are numbers, hence not this one.
        staging = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=path)
    except OSError as error:
        message = "`path` must be a folder that can be written: "
        raise OSError(
            error.errno, f"{message}{error.strerror}", str(path)
        ) from error
    _remove_abandoned(path)
    with staging as folder, _held(pathlib.Path(folder)):
        # A temporary folder is closed to other users, the server's among
        # them; one made inside it has the usual permissions.
        draft = pathlib.Path(folder, "version")
        draft.mkdir()
        write(draft)
        for parent, _, names in os.walk(draft, topdown=False):
            for name in names:
                _flush(os.path.join(parent, name))
            _flush(parent)
        version = _rename_to_next_version(draft, path)
    _flush(path)
    return version


@contextlib.contextmanager
def _held(folder):
    """Marks a folder as in use, until this process ends however it ends."""
    with open(folder / "new-lock", "w") as file:
        # A filesystem without locks: then what a kill leaves stays.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
            # Under its name there is never a lock that is not held yet.
            os.replace(folder / "new-lock", folder / "lock")
        yield


def _remove_abandoned(path):
    """Removes the folders of exports whose process has ended."""
    for folder in path.glob(f"{_PREFIX}*"):
        # A living export holds the lock, or has none yet; a folder may be
        # another user's, or be removed by its owner in this moment.
        with contextlib.suppress(OSError):
            with open(folder / "lock", "r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)


def _rename_to_next_version(draft, path):
    while True:
        # Whatever a server could read as a number counts, files too.
        version = path / str(max(version_numbers(path), default=0) + 1)
        try:
            # A rename never replaces a folder with files in it. So if two
            # exports choose one number, one gets it and the other chooses
            # again: no lock to wait for, or to be left behind by a crash.
            os.rename(draft, version)
        except OSError:
            if not os.path.lexists(version):
                raise
        else:
            return version


def _flush(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
