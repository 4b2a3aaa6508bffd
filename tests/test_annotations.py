"""Every public callable says what it takes and what it gives."""

import importlib
import inspect
import pathlib
import pkgutil
import typing

import pytest

import keras_vae

PACKAGES = ["keras_vae"] + [
    module.name
    for module in pkgutil.walk_packages(keras_vae.__path__, "keras_vae.")
    if module.ispkg
]


def functions_of(package):
    """Public functions, and methods of public classes that are ours."""
    module = importlib.import_module(package)
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isfunction(value):
            yield f"{package}.{name}", value
        elif inspect.isclass(value):
            for attribute, member in _members(value):
                yield f"{package}.{name}.{attribute}", member


def _members(value):
    for base in value.__mro__:
        if not base.__module__.startswith("keras_vae."):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") and name not in ("__init__", "__call__"):
                continue
            member = getattr(member, "fget", member)
            member = inspect.unwrap(getattr(member, "__func__", member))
            # Named tuples and data classes write their own.
            if inspect.isfunction(member) and member.__module__ != "builtins":
                if member.__code__.co_filename != "<string>":
                    yield name, member


@pytest.mark.parametrize("package", PACKAGES)
def test_every_argument_and_result_has_a_type(package):
    missing = []
    for name, function in functions_of(package):
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        if parameters and parameters[0].name in ("self", "cls"):
            del parameters[0]
        missing += [
            f"{name}: {parameter.name}"
            for parameter in parameters
            if parameter.annotation is parameter.empty
        ]
        if signature.return_annotation is signature.empty:
            missing.append(f"{name}: what it returns")
    assert not missing


def test_the_walk_finds_what_it_should():
    found = dict(functions_of("keras_vae"))
    assert "keras_vae.VAE.__init__" in found
    assert "keras_vae.VAE.sample" in found
    # Inherited, from a mixin and from the base.
    assert "keras_vae.VAE.log_likelihood" in found
    assert "keras_vae.VAE.fit" in found
    assert "keras_vae.export_model" in found
    total = sum(len(dict(functions_of(package))) for package in PACKAGES)
    assert total > 600


def test_types_say_more_than_any():
    """Any is for what has no type: Keras's data and keyword arguments."""
    every = {
        function: name
        for package in PACKAGES
        for name, function in functions_of(package)
    }
    types = [
        annotation
        for function in every
        for argument, annotation in function.__annotations__.items()
        if argument not in ("args", "kwargs")
    ]
    assert len(types) > 1500
    assert types.count(typing.Any) < 0.1 * len(types)


def test_the_package_says_that_it_is_typed():
    assert (pathlib.Path(keras_vae.__path__[0]) / "py.typed").is_file()
