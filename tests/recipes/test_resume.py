"""Killed ten times at random moments and resumed: bit for bit the same run."""

import io
import json
import random
import signal
import time
import zipfile

import h5py
import numpy as np
import pytest

from tests.recipes import processes
from tests.recipes import runs

KILLS = 10
SEED = 8

# Flags with which the smoke run has a dozen epochs, over all stages.
FLAGS = {
    "ae_hinton2006": ("--linear-epochs", "6", "--epochs", "7"),
    "analytic_gaussian": ("--epochs", "13"),
    "beta_vae_higgins2017": (
        *("--sweep", "1", "4", "--epochs", "6"),
        *("--objective", "discriminator"),
    ),
    "contractive_ae_rifai2011": ("--epochs", "5"),
    "dae_vincent2010": ("--epochs", "5", "--fine-tuning-epochs", "5"),
    "diffusion_ho2020": ("--epochs", "13"),
    "gaussian_mixture": ("--epochs", "13"),
    "hierarchical_vae_sonderby2016": ("--epochs", "13"),
    "iwae_burda2016": ("--epochs", "13"),
    "k_sparse_ae_makhzani2014": ("--epochs", "7"),
    "ladder_vae_sonderby2016": ("--epochs", "7", "--fine-tune-epochs", "6"),
    "leaderboard": ("--model", "vq_vae", "--epochs", "6"),
    "pixel_snail_chen2018": ("--epochs", "13"),
    "sparse_ae_ng2011": ("--epochs", "13"),
    "td_vae_gregor2019": ("--epochs", "5"),
    "vae_kingma2014": ("--epochs", "13"),
    "vq_vae2_razavi2019": (
        *("--epochs", "4", "--prior-epochs", "3", "--compare"),
    ),
    "vq_vae_oord2017": ("--epochs", "7", "--prior-epochs", "6"),
}

STRATEGIES = {
    "none": lambda *args: [processes.start(*args)],
    "mirrored": lambda *args: [processes.start(*args, replicas=2)],
    "multiworker": processes.start_workers,
}


class Restarted:
    """A run that is started again with the same settings, as a cluster does.

    Args:
        recipe: str.
        folder: where it writes.
        strategy: key of `STRATEGIES`.
    """

    def __init__(self, recipe, folder, strategy):
        self.recipe = recipe
        folder.mkdir()
        self.folder = folder
        self.path = folder / "run"
        self.strategy = strategy
        self.argv = [
            *("--smoke", "--deterministic", "--strategy", strategy),
            *("--batch-size", "500", *FLAGS[recipe]),
            *("--out", str(self.path)),
            *("--saved-models", str(folder / "saved_models")),
        ]

    def start(self):
        argv = self.argv
        if (self.path / "config.json").exists():
            argv = [*argv, "--resume"]
        return STRATEGIES[self.strategy](self.recipe, argv, self.folder / "log")

    def finish(self):
        """Runs to the end."""
        for process in self.start():
            processes.finish(process, self.folder)

    def newest_backup(self):
        backups = self.path.rglob("epoch-*.npz")
        return max((file.stat().st_mtime_ns for file in backups), default=0)

    def kill(self, delay, from_backup):
        """Kills it after a number of seconds, if it does not end before.

        Returns whether it was killed.

        Args:
            delay: float.
            from_backup: bool, whether the seconds count from the next backup
                on, not from the start.
        """
        before = self.newest_backup()
        running = self.start()
        try:
            while from_backup and self.newest_backup() == before:
                running[0].join(0.01)
                from_backup = running[0].is_alive()
            running[0].join(delay)
        finally:
            for process in running:
                process.kill()
            for process in running:
                process.join()
        codes = [process.exitcode for process in running]
        assert set(codes) <= {0, -signal.SIGKILL}, processes.said(self.folder)
        return -signal.SIGKILL in codes


def stages(path):
    return sorted(p.parent.relative_to(path) for p in path.rglob("backup"))


def seconds_of_epochs(path):
    for stage in stages(path):
        lines = (path / stage / "history.csv").read_text().splitlines()
        column = lines[0].split(",").index("seconds")
        yield from (float(line.split(",")[column]) for line in lines[1:])


def best_weights(path):
    """All arrays in best.keras."""
    arrays = {}
    with zipfile.ZipFile(path / "best.keras") as archive:
        data = io.BytesIO(archive.read("model.weights.h5"))

    def collect(name, value):
        if isinstance(value, h5py.Dataset):
            arrays[name] = np.asarray(value)

    with h5py.File(data) as file:
        file.visititems(collect)
    return arrays


def assert_same(path, other):
    assert stages(path) == stages(other) != []
    for stage in stages(path):
        runs.assert_same_run(path / stage, other / stage)
        some, others = best_weights(path / stage), best_weights(other / stage)
        assert some.keys() == others.keys() != set()
        for name, array in some.items():
            np.testing.assert_array_equal(array, others[name], err_msg=name)
    numbers = [
        json.loads((p / "metrics.json").read_text())["numbers"]
        for p in (path, other)
    ]
    assert numbers[0] == numbers[1] != {}
    assert not list(other.rglob(".draft-*"))


def survive(recipe, tmp_path, strategy):
    undisturbed = Restarted(recipe, tmp_path / "a", strategy)
    started = time.time()
    undisturbed.finish()
    seconds = list(seconds_of_epochs(undisturbed.path))
    epoch = float(np.median(seconds))
    # The first epoch of a stage is traced: it is no measure of the others.
    claimed = (undisturbed.path / "config.json").stat().st_mtime
    beginning = claimed - started + max(seconds)

    print(f"{recipe} {strategy}: seed {SEED}, an epoch takes {epoch:.3f} s")
    chance = random.Random(f"{SEED} {recipe} {strategy}")
    killed = Restarted(recipe, tmp_path / "b", strategy)
    kills, ended = 0, False
    while kills < KILLS:
        from_backup = not ended and chance.random() < 0.75
        longest = 1.5 * epoch if from_backup else beginning
        died = killed.kill(chance.uniform(0.0, longest), from_backup)
        kills += died
        if not died:
            # What is left to kill is a run that is complete.
            ended, beginning = True, min(beginning, 1.0)
    killed.finish()
    assert_same(undisturbed.path, killed.path)


def test_every_recipe_has_flags():
    assert list(FLAGS) == processes.RECIPES


@pytest.mark.slow
@pytest.mark.parametrize("recipe", FLAGS)
def test_ten_kills_change_nothing(recipe, tmp_path):
    survive(recipe, tmp_path, "none")


@pytest.mark.slow
def test_ten_kills_of_two_replicas_change_nothing(tmp_path):
    """Noise at each level, and batch normalisation."""
    survive("ladder_vae_sonderby2016", tmp_path, "mirrored")


@pytest.mark.slow
def test_ten_kills_of_two_workers_change_nothing(tmp_path):
    survive("vae_kingma2014", tmp_path, "multiworker")
