"""The examples of the pages run, one page after the other."""

import keras
import numpy as np
import pytest

from tests.docs import pages

MODELS = sorted(pages.DOCS.glob("models/*.md"))
#: The other guides have tests of their own: they need servers or several
#: processes, or change files.
GUIDES = [
    pages.DOCS / f"{name}.md"
    for name in (
        "guides/first_model",
        "guides/networks",
        "guides/distributions",
        "guides/schedules",
        "guides/evaluation",
        "faq",
    )
]


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


@pytest.mark.parametrize("page", MODELS, ids=lambda page: page.stem)
def test_examples_of_models_run(page, short_training, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pages.run_all(page)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_guides_run_as_printed(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pages.run_all(page)
