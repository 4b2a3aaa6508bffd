"""Every argument is an attribute and survives a round trip as JSON."""

import copy
import inspect
import json

import keras
import pytest

from tests.conformance import table


@pytest.fixture(params=table.ALL)
def instance(request):
    return table.ALL[request.param].make()


def arguments(cls):
    """Names of the arguments of `__init__`, inherited ones included."""
    names = {}
    for base in cls.__mro__:
        if not base.__module__.startswith("keras_vae"):
            break
        if "__init__" in vars(base):
            names |= inspect.signature(base.__init__).parameters
    return set(names) - {"self", "args", "kwargs"}


def test_config_holds_every_argument(instance):
    assert arguments(type(instance)) <= set(instance.get_config())


def test_arguments_are_attributes(instance):
    other_names = getattr(instance, "config_attributes", {})
    for name in arguments(type(instance)):
        assert hasattr(instance, other_names.get(name, name))


def test_round_trip(instance):
    config = json.loads(
        json.dumps(keras.saving.serialize_keras_object(instance))
    )
    # A copy: Keras takes the configs of functional models apart.
    restored = keras.saving.deserialize_keras_object(copy.deepcopy(config))
    assert type(restored) is type(instance)
    again = keras.saving.serialize_keras_object(restored)
    assert json.loads(json.dumps(again)) == config


def test_a_new_instance_from_the_config(instance):
    restored = type(instance).from_config(instance.get_config())
    assert json.dumps(restored.get_config()) == json.dumps(
        instance.get_config()
    )
