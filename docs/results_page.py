"""The tables of docs/results.md, from the numbers that the runs wrote.

    python docs/results_page.py
    python docs/results_page.py --keep RUN_DIRECTORY NAME

Between `<!-- table: NAME -->` and `<!-- end -->` the page gets the table NAME
of docs/results/tables.toml, made of the metrics.json files kept in that folder:
a row for each command, or for each quantity of one run. Runs of one command
that differ in their seed become one row, mean and standard deviation. `--keep`
adds the numbers of a run to that folder, as NAME.json, without the paths of
this machine.
"""

import argparse
import fnmatch
import json
import pathlib
import re
import shlex
import statistics
import tomllib

DOCS = pathlib.Path(__file__).resolve().parent
_PATHS = {"--out", "--saved-models", "--data-dir"}
_SECTION = re.compile(
    r"(<!-- table: (?P<name>\S+) -->\n).*?(<!-- end -->)", re.DOTALL
)


def fill(text, tables, folder):
    """The page with all its tables.

    Args:
        text: str, the page.
        tables: dict of name to the description of a table.
        folder: path of the JSON files.

    Raises:
        ValueError: If the page names a table that is not described.
    """

    def section(match):
        name = match["name"]
        if name not in tables:
            raise ValueError(
                f"The page has a table that tables.toml has not: {name}"
            )
        return f"{match[1]}{table(tables[name], folder)}{match[3]}"

    return _SECTION.sub(section, text)


def table(description, folder):
    """One table in Markdown.

    Args:
        description: dict with `files`, patterns of names without ".json", in
            order, and either `columns` or `quantities`: pairs of a heading
            and the name of a number; with * or ?, all that match. Rows with
            columns may have an `order`: the name of the number whose smallest
            value comes first.
        folder: path of the JSON files.

    Raises:
        ValueError: If there is no file, or not the one number that is named.
    """
    runs = _read(description["files"], folder)
    if "columns" in description:
        return _by_run(description["columns"], runs, description.get("order"))
    return _by_quantity(description["quantities"], runs)


def _read(patterns, folder):
    paths = []
    for pattern in patterns:
        found = sorted(pathlib.Path(folder).glob(f"{pattern}.json"))
        if not found:
            raise ValueError(f"No file of results: {pattern}.json in {folder}")
        paths += [path for path in found if path not in paths]
    runs = [json.loads(path.read_text()) for path in paths]
    for run in runs:
        run["numbers"] |= run.get("speeds", {})
    return runs


def _by_run(columns, runs, order=None):
    groups = {}
    for run in runs:
        groups.setdefault(_command(run), []).append(run)
    ordered = list(groups.items())
    if order is not None:
        ordered.sort(
            key=lambda pair: statistics.mean(
                run["numbers"][order] for run in pair[1]
            )
        )
    rows = []
    for command, group in ordered:
        cells = [f"`{command}`"]
        cells += [_cell(group, name) for _, name in columns]
        rows.append([*cells, _epochs(group[0]), _seeds(group), _seconds(group)])
    heads = [head for head, _ in columns]
    seconds = "seconds: training, evaluation"
    heads = ["command", *heads, "epochs", "seed", seconds]
    return _markdown(heads, rows)


def _by_quantity(quantities, runs):
    command = _command(runs[0])
    if any(_command(run) != command for run in runs):
        raise ValueError(
            "A table of quantities takes runs of one command. "
            f"Received: {sorted({_command(run) for run in runs})}"
        )
    rows = [
        [head, _mean(runs, name), _paper(runs, name)]
        for head, name in quantities
    ]
    below = (
        f"\n`{command}`: seed {_seeds(runs)}, {_epochs(runs[0])} epochs; "
        f"seconds of training and of evaluation: {_seconds(runs)}.\n"
    )
    return _markdown(["quantity", "reached", "paper"], rows) + below


def _markdown(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# === Cells ===


def _command(run):
    """The command of runs that differ in their seed."""
    return _without_flags(run["command"], {"--seed", *_PATHS})


def _without_flags(command, flags):
    """The command without these flags and their values, and --resume."""
    words = shlex.split(command)
    kept = []
    while words:
        word = words.pop(0)
        if word in flags:
            words.pop(0)
        elif word != "--resume":
            kept.append(word)
    return shlex.join(kept)


def _cell(runs, name):
    cell, paper = _mean(runs, name), _paper(runs, name)
    return f"{cell} ({paper})" if paper else cell


def _mean(runs, name):
    if not set("*?") & set(name):
        return _spread([run["numbers"].get(name) for run in runs])
    known = runs[0]["numbers"]
    names = fnmatch.filter(known, name)
    if not names:
        raise ValueError(f"No number {name} among {sorted(known)}")
    return ", ".join(_mean(runs, name) for name in names)


def _spread(values):
    if None in values:
        return ""
    if len(values) == 1:
        return _number(values[0])
    mean, deviation = statistics.mean(values), statistics.stdev(values)
    return f"{_number(float(mean))} ± {_number(deviation)}"


def _paper(runs, name):
    value = runs[0]["paper"].get(name)
    return "" if value is None else _number(value)


def _number(value):
    if isinstance(value, int):
        return str(value)
    if value == 0.0 or abs(value) >= 10.0:
        return f"{value:.2f}"
    return f"{value:#.3g}"


def _epochs(run):
    epochs = run["epochs"]
    if isinstance(epochs, dict):
        counts = list(epochs.values())
        return ", ".join(map(str, dict.fromkeys(counts)))
    return str(epochs)


def _seeds(runs):
    return ", ".join(str(run["seed"]) for run in runs)


def _seconds(runs):
    return ", ".join(
        f"{statistics.mean(run['seconds'][name] for run in runs):.0f}"
        for name in ("train", "evaluation")
    )


def keep(run_directory, name, folder):
    """Copies the numbers of a run, without the paths of this machine."""
    numbers = pathlib.Path(run_directory) / "metrics.json"
    run = json.loads(numbers.read_text())
    run["command"] = _without_flags(run["command"], _PATHS)
    del run["exported"]
    path = pathlib.Path(folder) / f"{name}.json"
    path.write_text(json.dumps(run, indent=2) + "\n")


def main(argv=None, docs=DOCS):
    parser = argparse.ArgumentParser(
        prog="python docs/results_page.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--keep", nargs=2, metavar=("RUN_DIRECTORY", "NAME"))
    arguments = parser.parse_args(argv)
    folder = docs / "results"
    if arguments.keep:
        keep(*arguments.keep, folder)
    page = docs / "results.md"
    tables = tomllib.loads((folder / "tables.toml").read_text())
    page.write_text(fill(page.read_text(), tables, folder))


if __name__ == "__main__":
    main()
