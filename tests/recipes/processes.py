"""Recipes in processes of their own.

They are forked from one process that has imported everything and begun
nothing: to import takes longer than most of the runs.
"""

import importlib
import multiprocessing
import os
import pathlib
import resource

from tests import loopback

RECIPES = sorted(
    path.stem
    for path in pathlib.Path(__file__).parents[2].glob("recipes/*.py")
    if "__main__" in path.read_text()
)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        __name__,
        "sklearn.datasets",
        "sklearn.decomposition",
        "sklearn.linear_model",
        "sklearn.mixture",
        "matplotlib.figure",
        "tyro",
        *(f"recipes.{recipe}" for recipe in RECIPES),
    ]
)


def start(recipe, argv, log, replicas=1, file_size=None, **environment):
    """The process of a run, started.

    Args:
        recipe: str, its module in `recipes`.
        argv: list of str, its command line.
        log: path of the file that gets all it says.
        replicas: int, logical devices that a strategy finds.
        file_size: None, or int: bytes beyond which no file of it grows.
        **environment: str.
    """
    process = _context.Process(
        target=_run,
        args=(recipe, argv, str(log), replicas, file_size, environment),
    )
    process.start()
    return process


def start_workers(recipe, argv, log):
    """The processes of two workers on loopback, the chief first."""
    return [
        start(recipe, argv, f"{log}.{index}", **environment)
        for index, environment in enumerate(loopback.environments())
    ]


def finish(process, folder, timeout=900):
    """Waits for a run that must succeed and logs to files of `folder`."""
    process.join(timeout)
    code = process.exitcode
    process.kill()
    assert code == 0, f"It ended with {code}.\n{said(folder)}"


def said(folder):
    """The ends of the logs in a folder."""
    logs = sorted(path for path in folder.glob("log*") if path.is_file())
    return "\n".join(path.read_text(errors="replace")[-4000:] for path in logs)


def _run(recipe, argv, log, replicas, file_size, environment):
    os.environ.update(environment)
    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    with open(log, "ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    if replicas > 1:
        import tensorflow as tf

        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            replicas * [tf.config.LogicalDeviceConfiguration()],
        )
    importlib.import_module(f"recipes.{recipe}").main(argv)
