"""The page of results holds what the files of the runs hold."""

import json
import tomllib

import pytest

from tests.docs import pages


@pytest.fixture(scope="module")
def results_page():
    return pages.module(pages.DOCS / "results_page.py")


def write(folder, name, numbers, paper=None, seed=0, command="python -m r"):
    run = {
        "numbers": numbers,
        "paper": paper or {},
        "epochs": 5,
        "seed": seed,
        "command": command,
        "seconds": {"train": 10.4 + seed, "evaluation": 12.0},
    }
    (folder / f"{name}.json").write_text(json.dumps(run))


def rows(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ][2:]


def test_the_page_is_what_its_files_make(results_page):
    folder = results_page.DOCS / "results"
    tables = tomllib.loads((folder / "tables.toml").read_text())
    page = (results_page.DOCS / "results.md").read_text()
    assert results_page.fill(page, tables, folder) == page
    for name in tables:
        assert f"<!-- table: {name} -->" in page


def test_a_row_for_each_command(results_page, tmp_path):
    write(tmp_path, "a-1", {"nll": 87.6617, "units": 23}, {"nll": 85.54})
    write(tmp_path, "a-2", {"nll": 0.0}, command="python -m r --k 5")
    description = {
        "files": ["a-*"],
        "columns": [["NLL", "nll"], ["u", "units"]],
    }
    first, second = rows(results_page.table(description, tmp_path))
    assert first == ["`python -m r`", "87.66 (85.54)", "23", "5", "0", "10, 12"]
    assert second[:3] == ["`python -m r --k 5`", "0.00", ""]


def test_seeds_become_one_row(results_page, tmp_path):
    for seed, nll in enumerate((1.0, 2.0, 3.0)):
        command = f"python -m r --seed {seed} --out 'a folder' --resume"
        write(tmp_path, f"a-{seed}", {"nll": nll}, seed=seed, command=command)
    description = {"files": ["a-*"], "columns": [["NLL", "nll"]]}
    (row,) = rows(results_page.table(description, tmp_path))
    assert row == ["`python -m r`", "2.00 ± 1.00", "5", "0, 1, 2", "11, 12"]


def test_rows_in_the_order_of_a_number(results_page, tmp_path):
    for name, nll in (("a", 10.0), ("b", 2.0), ("c", 9.0)):
        write(tmp_path, name, {"nll": nll}, command=f"python -m {name}")
    description = {"files": ["?"], "columns": [["NLL", "nll"]], "order": "nll"}
    ordered = rows(results_page.table(description, tmp_path))
    assert [row[1] for row in ordered] == ["2.00", "9.00", "10.00"]


def test_a_row_for_each_quantity(results_page, tmp_path):
    write(tmp_path, "a", {"x": 0.0123, "kl_1": 2.0, "kl_2": 30.0}, {"x": 0.02})
    description = {
        "files": ["a"],
        "quantities": [["error", "x"], ["KL", "kl_?"]],
    }
    text = results_page.table(description, tmp_path)
    assert rows(text) == [
        ["error", "0.0123", "0.0200"],
        ["KL", "2.00, 30.00", ""],
    ]
    assert "`python -m r`: seed 0, 5 epochs" in text


def test_a_run_is_kept_without_its_paths(results_page, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results.md").write_text(
        "<!-- table: t -->\nold\n<!-- end -->\nprose\n"
    )
    (tmp_path / "results/tables.toml").write_text(
        '[t]\nfiles = ["kept"]\ncolumns = [["x", "x"]]\n'
    )
    write(tmp_path, "metrics", {"x": 1.5}, command="python -m r --out o --k 5")
    run = json.loads((tmp_path / "metrics.json").read_text())
    run["exported"] = "saved_models/r/1"
    (tmp_path / "metrics.json").write_text(json.dumps(run))
    results_page.main(["--keep", str(tmp_path), "kept"], docs=tmp_path)
    kept = json.loads((tmp_path / "results/kept.json").read_text())
    assert kept["command"] == "python -m r --k 5"
    assert "exported" not in kept
    page = (tmp_path / "results.md").read_text()
    assert "old" not in page
    assert "| `python -m r --k 5` | 1.50 |" in page
    assert page.endswith("<!-- end -->\nprose\n")


def test_what_is_missing_is_an_error(results_page, tmp_path):
    with pytest.raises(ValueError, match="No file of results: b.json"):
        results_page.table({"files": ["b"], "columns": []}, tmp_path)
    write(tmp_path, "a", {"x": 1.0})
    with pytest.raises(ValueError, match="No number k_"):
        results_page.table(
            {"files": ["a"], "columns": [["k", "k_*"]]}, tmp_path
        )
    with pytest.raises(ValueError, match="has not: other"):
        results_page.fill("<!-- table: other -->\n<!-- end -->", {}, tmp_path)
