"""A table for people, a JSON file for programs."""

import dataclasses
import json
import os
import pathlib
import sys

from recipes.environment import environment

# Of this process: what `settings` finds and `finish` stores.
_before = {}


def settings(config_class, smoke, description):
    """Settings from the command line; `--smoke` changes their defaults.

    The machine's load of now is that which `finish` stores.
    """
    import tyro

    # Later it is that of the benchmark itself.
    _before["load"] = os.getloadavg()[0]
    return tyro.cli(
        config_class,
        description=description,
        default=config_class(**(smoke if "--smoke" in sys.argv else {})),
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def markdown_table(rows):
    """Table of dicts with equal keys; numbers are aligned to the right."""
    columns = list(rows[0])
    cells = [[str(row[column]) for column in columns] for row in rows]
    widths = [
        max(len(line[i]) for line in [columns, *cells])
        for i in range(len(columns))
    ]
    rule = ["-" * (width - 1) + ":" for width in widths]
    rule[0] = "-" * widths[0]
    lines = []
    for line in [columns, rule, *cells]:
        first, *others = zip(line, widths, strict=True)
        padded = [first[0].ljust(first[1])]
        padded += [cell.rjust(width) for cell, width in others]
        lines.append(f"| {' | '.join(padded)} |")
    return "\n".join(lines)


def goal(what, value, at_least=None, at_most=None):
    """A number and what it ought to reach, for `publish`.

    Args:
        what: str, what was measured.
        value: float.
        at_least, at_most: None, or float.
    """
    return {
        "what": what,
        "value": value,
        "at_least": at_least,
        "at_most": at_most,
    }


def is_met(goal):
    """Whether the number of a `goal` is where it ought to be."""
    low, high = goal["at_least"], goal["at_most"]
    return (low is None or goal["value"] >= low) and (
        high is None or goal["value"] <= high
    )


def publish(rows, result, out):
    """Prints the table and writes the JSON file.

    Args:
        rows: list of dicts with equal keys, the table.
        result: dict, what the file holds.
        out: path of the file; its folder is made.
    """
    print(markdown_table(rows))
    path = pathlib.Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_of_any_machine(result), indent=2) + "\n")
    print(f"\n{path}")


def finish(config, rows, out, goals=(), **result):
    """`publish` for a benchmark: settings, table, goals, surroundings.

    Args:
        config: dataclass, the settings.
        rows, out: as of `publish`.
        goals: list of what `goal` gave; they are printed.
        **result: what else the file holds; `versions` are those of peers.

    Returns:
        Whether all goals are met.
    """
    surroundings = environment() | _before
    surroundings["versions"].update(result.pop("versions", {}))
    publish(
        rows,
        {
            "config": dataclasses.asdict(config),
            "table": rows,
            "goals": list(goals),
            **result,
            **surroundings,
        },
        out,
    )
    for number in goals:
        print(describe(number))
    return all(is_met(number) for number in goals)


def describe(goal):
    """A goal in one line."""
    bounds = [
        f"{word} {goal[key]:g}"
        for key, word in (("at_least", "at least"), ("at_most", "at most"))
        if goal[key] is not None
    ]
    met = "" if is_met(goal) else ", missed"
    return f"{goal['what']}: {goal['value']:.3g} ({' '.join(bounds)}{met})"


def _of_any_machine(result):
    """Without the paths of interpreters, which are this machine's."""
    paths = [
        value
        for name, value in result.get("config", {}).items()
        if name.endswith("_python") and value
    ]
    text = json.dumps(result)
    for path in paths:
        text = text.replace(json.dumps(path)[1:-1], "PYTHON")
    return json.loads(text)
