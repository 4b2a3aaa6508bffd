"""The flag --strategy, in processes of their own."""

import importlib
import shutil
import signal

import pytest

from recipes.settings import Config
from tests.recipes import processes
from tests.recipes import runs

# The last stage of recipes that train several models, one after the other.
LAST_STAGE = {
    "ae_hinton2006": "",
    "beta_vae_higgins2017": "beta_4",
    "contractive_ae_rifai2011": "contractive",
    "dae_vincent2010": "classifier",
    "hierarchical_vae_sonderby2016": "fine_tune",
    "k_sparse_ae_makhzani2014": "k2",
    "ladder_vae_sonderby2016": "fine_tune",
    "td_vae_gregor2019": "mean_field",
    "vq_vae2_razavi2019": "prior1",
    "vq_vae_oord2017": "prior",
}
FLAGS = {
    "beta_vae_higgins2017": ("--sweep", "1", "4"),
    "hierarchical_vae_sonderby2016": ("--fine-tune-epochs", "1"),
    "ladder_vae_sonderby2016": ("--fine-tune-epochs", "1"),
    "vq_vae2_razavi2019": ("--compare",),
}


def argv(folder, recipe, *flags):
    return [
        *("--smoke", *FLAGS.get(recipe, ()), *flags),
        *("--out", str(folder / "run")),
        *("--saved-models", str(folder / "saved_models")),
    ]


def run_mirrored(folder, recipe, *flags):
    flags = argv(folder, recipe, "--strategy", "mirrored", *flags)
    process = processes.start(recipe, flags, folder / "log", replicas=2)
    processes.finish(process, folder)


def newest_backups(path):
    return {
        stage.parent.relative_to(path): max(
            file.stat().st_mtime_ns for file in stage.iterdir()
        )
        for stage in path.rglob("backup")
    }


@pytest.mark.parametrize("recipe", processes.RECIPES)
def test_every_recipe_has_the_flag(recipe):
    module = importlib.import_module(f"recipes.{recipe}")
    config = module.Config(strategy="mirrored")
    assert isinstance(config, Config)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", processes.RECIPES)
def test_two_replicas_and_the_stage_that_is_missing(recipe, tmp_path):
    run_mirrored(tmp_path, recipe)
    path = tmp_path / "run"
    assert (path / "metrics.json").is_file()
    exported = list((tmp_path / "saved_models").glob("*/[0-9]*"))
    assert len(exported) == 1
    before = newest_backups(path)
    if recipe not in LAST_STAGE:
        assert len(before) == 1
        return

    last = path / LAST_STAGE[recipe]
    shutil.rmtree(last / "backup")
    (last / "best.keras").unlink()
    (path / "metrics.json").unlink()
    run_mirrored(tmp_path, recipe, "--resume")
    assert (path / "metrics.json").is_file()
    after = newest_backups(path)
    assert after.keys() == before.keys()
    trained = [stage for stage in after if after[stage] != before[stage]]
    assert [str(path / stage) for stage in trained] == [str(last)]


@pytest.mark.slow
def test_mirrored_with_loss_scaling_and_averaged_weights(tmp_path):
    run_mirrored(
        tmp_path,
        "iwae_burda2016",
        *("--precision", "mixed_float16", "--weight-average", "0.9"),
    )
    assert len(runs.history(tmp_path / "run")) == 2
    assert (tmp_path / "run" / "metrics.json").is_file()


def start_workers(folder, *flags, recipe="iwae_burda2016"):
    flags = argv(folder, recipe, "--strategy", "multiworker", *flags)
    return processes.start_workers(recipe, flags, folder / "log")


@pytest.mark.slow
def test_of_two_workers_one_writes_and_both_resume(tmp_path):
    for flags in ((), ("--resume", "--epochs", "3")):
        for worker in start_workers(tmp_path, *flags):
            processes.finish(worker, tmp_path)
    said = [(tmp_path / f"log.{index}").read_text() for index in range(2)]
    assert "SavedModel" in said[0]
    assert "SavedModel" not in said[1]
    assert [r["epoch"] for r in runs.history(tmp_path / "run")] == list("012")
    assert len(list((tmp_path / "saved_models").glob("*/[0-9]*"))) == 2


@pytest.mark.slow
def test_of_two_workers_one_writes_the_codes(tmp_path):
    for worker in start_workers(tmp_path, recipe="vq_vae_oord2017"):
        processes.finish(worker, tmp_path)
    assert (tmp_path / "run" / "codes.npz").is_file()
    assert len(runs.history(tmp_path / "run" / "prior")) == 1
    assert not list((tmp_path / "run").rglob(".draft-*"))


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1], ids=["chief", "other"])
def test_a_lost_worker_ends_the_others_and_all_resume(tmp_path, lost):
    workers = start_workers(tmp_path, "--epochs", "2000")
    backup = tmp_path / "run" / "backup" / "epoch-00000002.npz"
    try:
        while not backup.exists():
            workers[0].join(0.05)
            assert workers[0].is_alive(), processes.said(tmp_path)
        workers[lost].kill()
        workers[1 - lost].join(300)
        code = workers[1 - lost].exitcode
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
    assert workers[lost].exitcode == -signal.SIGKILL
    # Not None: it does not wait for ever; not 0: nobody thinks it is done.
    assert code not in (None, 0)

    epochs = 1 + len(runs.history(tmp_path / "run"))
    for worker in start_workers(tmp_path, "--resume", "--epochs", str(epochs)):
        processes.finish(worker, tmp_path)
    rows = runs.history(tmp_path / "run")
    assert [int(row["epoch"]) for row in rows] == list(range(epochs))
