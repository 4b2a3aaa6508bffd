"""The examples of the public names run."""

import doctest
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import serving


@pytest.mark.parametrize("name", serving.__all__)
def test_example_runs(name):
    names = {"np": np, "keras": keras, "tf": tf, "keras_vae": keras_vae}
    runner = doctest.DocTestRunner(verbose=False)
    found = getattr(serving, name)
    for test in doctest.DocTestFinder(recurse=False).find(found, globs=names):
        runner.run(test)
    assert runner.summarize().failed == 0
    assert runner.summarize().attempted >= 3


@pytest.mark.parametrize("name", sorted(set(serving.__all__) - {"Signature"}))
def test_arguments_results_and_errors_are_documented(name):
    function = getattr(serving, name)
    text = inspect.getdoc(function)
    positions = [
        text.index(f"\n{section}:\n")
        for section in ("Args", "Returns", "Raises", "Example")
    ]
    assert positions == sorted(positions)
    for argument in inspect.signature(function).parameters:
        assert f"\n    {argument}: " in text
