"""What a run does to the process: settings checked, devices, determinism."""

import contextlib
import os
import pathlib

import tensorflow as tf

from keras_vae.arguments import checked_path
from recipes.settings import check_numbers


def check(config):
    """Raises a ValueError if settings contradict each other."""
    check_numbers(config)
    for name in ("out", "saved_models"):
        if getattr(config, name) is not None:
            checked_path(name, getattr(config, name))
    if config.resume and config.out is None:
        raise ValueError(
            "`resume` needs the run directory, `out`. Received: out=None"
        )
    if config.resume and not pathlib.Path(config.out).is_dir():
        raise ValueError(
            f"There is no run to resume. Received: out={config.out!r}"
        )
    if config.strategy != "multiworker":
        return
    if config.out is None or "TF_CONFIG" not in os.environ:
        raise ValueError(
            "The strategy multiworker needs the environment variable "
            "TF_CONFIG and one `out` for all workers. "
            f"Received: out={config.out!r}, "
            f"TF_CONFIG={os.environ.get('TF_CONFIG')!r}"
        )


def strategy(name):
    """The `tf.distribute.Strategy` of a setting."""
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multiworker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def make_deterministic():
    """Equal runs give equal bits from here on."""
    tf.config.experimental.enable_op_determinism()
    # Sums over threads depend on how many there are. Once TensorFlow has
    # started, their number no longer changes.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(os.cpu_count())
        tf.config.threading.set_inter_op_parallelism_threads(os.cpu_count())


def meet(strategy):
    """Returns when every worker has come here."""

    @tf.function
    def add_up():
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(1))

    strategy.run(add_up)


def part(strategy):
    """Returns when every worker has come here and may end its process."""
    meet(strategy)
    # The first to leave takes its devices along, while others may still wait
    # for the answer: of this meeting, to which all have come, they need none.
    with contextlib.suppress(tf.errors.OpError):
        meet(strategy)
