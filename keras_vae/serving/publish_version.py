"""Atomic publication of the versions of a served model."""

import os
import pathlib
import re
import tempfile


def publish_version(path, write):
    """Publishes a folder as the next version, whole or not at all.

    The files are written and flushed to disk beside the versions, then
    renamed into place: a model server that polls `path` never finds a
    version that is still being written, and a failure leaves no version.

    Args:
        path: folder that holds the versions, created where missing.
        write: callable that is given an empty folder and fills it.

    Returns:
        The `pathlib.Path` of the version: `path` and the largest version in
        it plus one, from 1 on.

    Raises:
        OSError: (a subclass such as `PermissionError`) before `write` is
            called, if versions cannot be written into `path`.

    Example:

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> def write(version):
    ...     _ = (version / "weights").write_text("1 2 3")
    >>> [publish_version(folder.name, write).name for _ in range(3)]
    ['1', '2', '3']
    >>> folder.cleanup()
    """
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Within `path`, so on its filesystem: a rename across two copies.
        # Servers take names that are numbers, hence not this one.
        staging = tempfile.TemporaryDirectory(prefix=".export-", dir=path)
    except OSError as error:
        message = "`path` must be a folder that can be written: "
        raise OSError(
            error.errno, f"{message}{error.strerror}", str(path)
        ) from error
    with staging as folder:
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


def _rename_to_next_version(draft, path):
    while True:
        # Whatever a server could read as a number counts, files too.
        versions = [
            int(name)
            for name in os.listdir(path)
            if re.fullmatch("[0-9]{1,18}", name)
        ]
        version = path / str(max(versions, default=0) + 1)
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
