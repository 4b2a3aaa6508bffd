"""A table for people, a JSON file for programs."""

import json
import pathlib
import sys


def settings(config_class, smoke, description):
    """Settings from the command line; `--smoke` changes their defaults."""
    import tyro

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
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"\n{path}")
