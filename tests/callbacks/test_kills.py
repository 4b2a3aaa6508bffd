"""Every model, killed ten times at random moments, ends as if it was not."""

import multiprocessing
import random
import signal
import time

import keras
import pytest

from keras_vae.callbacks import ExactBackup
from tests.conformance import table
from tests.recipes import runs

ROWS = table.MODELS | table.VARIANTS
KILLS = 10
EPOCHS = 20
SEED = 8

# Forked from one process that has imported everything and begun nothing.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def train(name, folder):
    """Trains a row of the table, from its newest backup."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    row = ROWS[name]
    model = row.model()
    # Tracing would take longer than all steps.
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    backup = ExactBackup(folder / "backup")
    epoch = backup.restore(model)
    model.fit(
        row.inputs(7),
        batch_size=4,
        initial_epoch=epoch,
        epochs=EPOCHS,
        verbose=0,
        callbacks=[backup],
        shuffle=False,
    )


def start(name, folder):
    process = _context.Process(target=train, args=(name, folder))
    process.start()
    return process


def newest(folder):
    files = sorted((folder / "backup").glob("epoch-*.npz"))
    return files[-1].name if files else ""


def kill(process, folder, delay):
    """Kills it some seconds after its next backup."""
    before = newest(folder)
    while process.is_alive() and newest(folder) == before:
        time.sleep(0.005)
    process.join(delay)
    process.kill()
    process.join()
    return process.exitcode


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_ten_kills_change_nothing(name, tmp_path):
    undisturbed, killed = tmp_path / "a", tmp_path / "b"
    process = start(name, undisturbed)
    while process.is_alive() and not newest(undisturbed):
        time.sleep(0.005)
    started = time.time()
    process.join()
    assert process.exitcode == 0
    epoch = (time.time() - started) / (EPOCHS - 1)

    print(f"{name}: seed {SEED}, an epoch takes {epoch:.3f} s")
    chance = random.Random(f"{SEED} {name}")
    codes = []
    for _ in range(KILLS):
        process = start(name, killed)
        codes.append(kill(process, killed, chance.uniform(0.0, 0.9 * epoch)))
    assert set(codes) == {-signal.SIGKILL}
    process = start(name, killed)
    process.join()
    assert process.exitcode == 0

    name, arrays = runs.finals(undisturbed)
    other, others = runs.finals(killed)
    assert name == other == f"epoch-{EPOCHS:08d}.npz"
    assert [a.tobytes() for a in arrays] == [a.tobytes() for a in others]
    assert not list(killed.rglob(".draft-*"))
