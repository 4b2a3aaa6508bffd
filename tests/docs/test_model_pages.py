"""Every page of a model says what for, what not for, and what it reaches."""

import re

import pytest

from keras_vae import models
from tests.docs import pages

PAGES = sorted(pages.DOCS.glob("models/*.md"))
HEADINGS = (
    "What it is for",
    "When not to use it",
    "Recipes and results",
    "Export",
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_has_its_parts(page):
    text = page.read_text()
    for heading in HEADINGS:
        assert text.count(f"\n## {heading}\n") == 1, heading
    # The objective, in the words of the logs.
    formulas = re.findall(r"^```text\n(.*?)^```", text, re.M | re.S)
    assert re.search(r"_l(oss|ikelihood)\b.* = ", "".join(formulas))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_recipes_exist_and_have_results(page):
    text = page.read_text().split("\n## Recipes and results\n")[1]
    text = text.split("\n## ")[0]
    recipes = set(re.findall(r"results\.md#(\w+)", text))
    assert recipes
    for recipe in recipes:
        assert (pages.ROOT / "recipes" / f"{recipe}.py").is_file()
        assert re.search(rf"`[\w. -]*\b{recipe}`", text)


def test_every_paper_with_a_recipe_is_on_a_page():
    readme = (pages.ROOT / "README.md").read_text()
    recipes = set(re.findall(r"results\.md#(\w+\d{4})\)", readme))
    assert recipes
    text = "".join(page.read_text() for page in PAGES)
    assert recipes <= set(re.findall(r"results\.md#(\w+)", text))


def test_every_model_is_on_a_page():
    text = "".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"`(?:keras_vae\.)?(\w+)[`(]", text))
    assert set(models.__all__) - {"TermModel"} <= named


def test_every_page_is_in_the_index():
    index = (pages.DOCS / "index.md").read_text()
    for page in (*PAGES, *pages.DOCS.glob("guides/*.md")):
        name = page.relative_to(pages.DOCS).with_suffix("").as_posix()
        assert f"\n{name}\n" in index
