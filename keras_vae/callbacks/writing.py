"""How callbacks write files, and which process does."""

import contextlib
import os
import pathlib
import secrets
from collections.abc import Iterator
from typing import BinaryIO

import keras

from keras_vae.typing import PathLike

_DRAFT = ".draft-"


@contextlib.contextmanager
def atomic_path(path: PathLike) -> Iterator[pathlib.Path]:
    """Give a place to write a file that then appears under `path` whole.

    Args:
        path: Where the file goes. Missing folders are made.

    Yields:
        The path to write to, in the same folder and with the same suffix.
        When the block ends that file is flushed to disk and renamed; when the
        block raises it is removed and `path` stays as it was.

    Raises:
        OSError: If the file cannot be written (a full disk, say); it names
            `path`.
    """
    path = pathlib.Path(path)
    # Hosts that share a folder may have equal process ids.
    writer = f"{os.getpid()}-{secrets.token_hex(4)}"
    draft = path.with_name(f"{_DRAFT}{writer}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        with open(draft, "rb") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        if not isinstance(error, OSError):
            raise
        raise OSError(
            error.errno,
            f"this file could not be written: {error.strerror or error}",
            str(path),
        ) from error
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def atomic_file(path: PathLike) -> Iterator[BinaryIO]:
    """As `atomic_path`, but gives the open binary file."""
    with atomic_path(path) as draft, open(draft, "wb") as file:
        yield file


def remove_drafts(folder: PathLike) -> None:
    """Removes what killed processes left half written, in all sub-folders.

    Only where no other process writes.
    """
    for draft in pathlib.Path(folder).rglob(f"{_DRAFT}*"):
        draft.unlink(missing_ok=True)


def is_chief(model: keras.Model) -> bool:
    """Whether this process writes the files of `model`'s training.

    Under `MultiWorkerMirroredStrategy` one of the processes does; elsewhere
    there is only one.
    """
    resolver = model.distribute_strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    jobs = resolver.cluster_spec().as_dict()
    chief = "chief" if "chief" in jobs else "worker"
    return resolver.task_type == chief and resolver.task_id == 0
