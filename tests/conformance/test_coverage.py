"""A public class without a row fails, and so does a name taken twice."""

import importlib
import inspect
import pkgutil

import keras
import pytest

import keras_vae
from tests.conformance import table


@pytest.fixture(scope="module")
def classes():
    """Every class of the package that Keras may have to find by its name."""
    bases = (
        keras.layers.Layer,
        keras.optimizers.schedules.LearningRateSchedule,
    )
    found = set()
    prefix = f"{keras_vae.__name__}."
    for info in pkgutil.walk_packages(keras_vae.__path__, prefix):
        module = importlib.import_module(info.name)
        for _, value in inspect.getmembers(module, inspect.isclass):
            if value.__module__ == info.name and issubclass(value, bases):
                found.add(value)
    return found


def test_every_public_class_has_a_row():
    rows = {type(row.make()) for row in table.ALL.values()}
    expected = set(table.public_classes().values()) - table.ABSTRACT
    assert expected == rows


def test_every_layer_is_public_or_a_base(classes):
    public = set(table.public_classes().values())
    known = {base for cls in public for base in cls.__mro__} | table.PARTS
    assert {cls for cls in classes if cls.__name__[0] != "_"} <= known


def test_registered_names_are_not_taken_twice(classes):
    assert classes
    for cls in classes:
        name = keras.saving.get_registered_name(cls)
        assert name == f"keras_vae>{cls.__name__}"
        # A second class of the name would have replaced the first.
        assert keras.saving.get_registered_object(name) is cls
