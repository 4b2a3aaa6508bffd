"""What the tests of recipes share."""

import csv

import numpy as np


def finals(path):
    """All arrays of the newest backup: weights, optimizer, counters."""
    newest = max((path / "backup").glob("epoch-*.npz"))
    with np.load(newest) as data:
        names = [name for name in data.files if name != "arr_0"]
        return newest.name, [data[name] for name in names]


def history(path):
    """history.csv without the wall times."""
    with open(path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["seconds"]
    return rows


def assert_same_run(path, other):
    name, arrays = finals(path)
    other_name, others = finals(other)
    assert name == other_name
    assert len(arrays) == len(others) > 10
    for array, another in zip(arrays, others):
        np.testing.assert_array_equal(array, another)
    assert history(path) == history(other)
