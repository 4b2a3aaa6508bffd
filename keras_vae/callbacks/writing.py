"""How callbacks write files, and which process does."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def atomic_file(path):
    """Open a binary file that appears under `path` whole, or not at all.

    Args:
        path: Where the file goes. Missing folders are made.

    Yields:
        The open file. When the block ends it is flushed to disk and renamed;
        when the block raises it is removed and `path` stays as it was.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(draft, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def is_chief(model):
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
