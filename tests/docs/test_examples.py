"""The examples of the pages run, one page after the other."""

import pathlib
import re

import keras
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
# The clients of the serving guide need a server, see tests/serving.
PAGES = sorted(ROOT.glob("docs/models/*.md"))


def examples(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)


def few(data):
    """A few rows of arrays; anything else as it is."""
    if isinstance(data, (tuple, list)):
        return type(data)(few(part) for part in data)
    is_array = isinstance(data, np.ndarray) and data.ndim > 1
    return data[:64] if is_array else data


@pytest.fixture
def short_training(monkeypatch):
    """One epoch of few examples; everything else as written."""
    fit = keras.Model.fit

    def short_fit(self, x, *args, **kwargs):
        kwargs |= {"epochs": 1, "verbose": 0}
        if "validation_data" in kwargs:
            kwargs["validation_data"] = few(kwargs["validation_data"])
        return fit(self, few(x), *map(few, args), **kwargs)

    monkeypatch.setattr(keras.Model, "fit", short_fit)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run(page, short_training, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = examples(page)
    assert found, "a page has an example"
    names = {"__name__": "example"}
    for number, code in enumerate(found):
        # A reader copies the first, and goes on with the others.
        exec(compile(code, f"{page.name}, example {number + 1}", "exec"), names)
