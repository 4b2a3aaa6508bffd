"""Docstrings have their sections in order, and examples that run."""

import doctest
import inspect
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from tests.conformance import table

SECTIONS = [
    "Args",
    "Attributes",
    "Call arguments",
    "Input shape",
    "Output shape",
    "Raises",
    "Example",
    "Reference",
]
CLASSES = table.public_classes()
CONCRETE = {
    name: cls for name, cls in CLASSES.items() if cls not in table.ABSTRACT
}


def sections(cls):
    """Text of each section by its name, in the order of the docstring."""
    text = inspect.cleandoc(cls.__doc__)
    parts = re.split(r"^([A-Z][a-z ]+):$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", CLASSES)
def test_first_line_is_one_sentence(name):
    first, blank, *_ = [
        *inspect.cleandoc(CLASSES[name].__doc__).split("\n"),
        "",
    ]
    assert re.fullmatch(r"[A-Z].*[^.]\.", first)
    assert not re.search(r"\. [A-Z]", first)
    assert blank == ""


@pytest.mark.parametrize("name", CLASSES)
def test_sections_are_known_and_in_order(name):
    found = list(sections(CLASSES[name]))
    assert found == [section for section in SECTIONS if section in found]


@pytest.mark.parametrize("name", CLASSES)
def test_every_argument_is_documented(name):
    cls = CLASSES[name]
    parameters = inspect.signature(cls.__init__).parameters.values()
    expected = {
        parameter.name
        for parameter in parameters
        if parameter.kind
        not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    } - {"self"}
    documented = re.findall(
        r"^ {4}(\w+(?:, \w+)*):", sections(cls).get("Args", ""), re.MULTILINE
    )
    assert expected == {
        argument for names in documented for argument in names.split(", ")
    }


@pytest.mark.parametrize("name", CONCRETE)
def test_concrete_classes_have_an_example(name):
    assert "Example" in sections(CONCRETE[name])


@pytest.mark.parametrize("name", table.MODELS | table.LAYERS)
def test_what_is_called_says_how(name):
    cls = type((table.MODELS | table.LAYERS)[name].make())
    assert {"Call arguments", "Input shape", "Output shape"} <= set(
        sections(cls)
    )


@pytest.mark.parametrize("name", CLASSES)
def test_examples_run(name):
    names = {"np": np, "keras": keras, "tf": tf, "keras_vae": keras_vae}
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder().find(CLASSES[name], globs=names):
        runner.run(test)
    assert runner.summarize().failed == 0
    has_example = "Example" in sections(CLASSES[name])
    assert bool(runner.summarize().attempted) >= has_example
