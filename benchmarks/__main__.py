"""Runs all benchmarks, prints their tables and writes docs/benchmarks.md.

    python -m benchmarks --torch-python PYTHON --sonnet-python PYTHON

Each runs in a process of its own, on a machine that should do nothing else, and
stores its result; one that is stored is not run again. PYTHON is an interpreter
that has the peers: PyTorch, pythae and vector-quantize-pytorch, or dm-sonnet.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys

from benchmarks import page
from benchmarks import report
from benchmarks import suite

ROOT = pathlib.Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the command.

    Args:
        only: Names of results, or what they begin with; default: all.
        again: Run what is stored as well.
        torch_python: Python interpreter that has PyTorch, pythae and
            vector-quantize-pytorch; default: they are left out.
        sonnet_python: One that has dm-sonnet.
        out: Folder of the results.
        page: The page.
        smoke: Seconds instead of minutes: everything runs, the numbers mean
            nothing, and neither folder nor page are those of the
            documentation.
    """

    only: tuple[str, ...] = ()
    again: bool = False
    torch_python: str | None = None
    sonnet_python: str | None = None
    out: str = "docs/benchmarks"
    page: str = "docs/benchmarks.md"
    smoke: bool = False


SMOKE = {
    "out": "runs/benchmarks-smoke",
    "page": "runs/benchmarks-smoke/benchmarks.md",
}


def chosen(only):
    """The benchmarks of these names, all without.

    Raises:
        ValueError: If a name is that of none.
    """
    for name in only:
        if not any(b.name.startswith(name) for b in suite.BENCHMARKS):
            raise ValueError(
                "`only` must be what names begin with, of "
                f"{[b.name for b in suite.BENCHMARKS]}. Received: {name!r}"
            )
    return [
        benchmark
        for benchmark in suite.BENCHMARKS
        if not only or benchmark.name.startswith(only)
    ]


def run(benchmark, config):
    """Runs one where its result is not stored; whether there is one then."""
    path = pathlib.Path(config.out).resolve() / f"{benchmark.name}.json"
    print(f"\n=== {benchmark.name}", flush=True)
    if path.exists() and not config.again:
        rows = json.loads(path.read_text())["table"]
        print(f"stored in {config.out}\n{report.markdown_table(rows)}")
        return True
    # Beside the old one: it stays if this run fails.
    new = path.with_suffix(".new.json")
    command = [sys.executable, *benchmark.command(config), "--out", str(new)]
    command += ["--smoke"] if config.smoke else []
    # A status of 1 says that a goal is missed, or that all went wrong.
    subprocess.run(command, cwd=ROOT)
    if not new.exists():
        print(f"{benchmark.name} has failed, see above.")
        return False
    _store(new, path)
    return True


def _store(new, path):
    """The result under its name, and its figure."""
    result = json.loads(new.read_text())
    figure = result.get("figure")
    if figure is not None:
        result["figure"] = path.with_suffix(pathlib.Path(figure).suffix).name
        new.with_name(figure).replace(path.with_name(result["figure"]))
    result["command"] = result["command"].replace(str(new), path.name)
    result["config"]["out"] = path.name
    path.write_text(json.dumps(result, indent=2) + "\n")
    new.unlink()


def main(config):
    """Returns whether all results are there."""
    there = [run(benchmark, config) for benchmark in chosen(config.only)]
    page.write(config.out, config.page)
    print(f"\n{config.page}")
    return all(there)


def command():
    """Runs the command, with one line where the user must change something."""
    config = report.settings(Config, SMOKE, __doc__)
    try:
        chosen(config.only)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    raise SystemExit(int(not main(config)))


if __name__ == "__main__":
    command()
