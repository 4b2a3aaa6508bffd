"""Numbers of the settings, before anything is trained."""

import dataclasses
import importlib
import math
import pathlib

import pytest

import recipes
from recipes import settings

NAMES = [
    path.stem
    for path in pathlib.Path(recipes.__file__).parent.glob("*.py")
    if "__main__" in path.read_text()
]


@dataclasses.dataclass(frozen=True)
class Config(settings.Config):
    """One number of each kind."""

    samples: int = 5
    fine_tuning_epochs: settings.MayBeZero = 0
    sizes: tuple[int, ...] = (2, 3)
    levels: tuple[settings.MayBeZero, ...] = (0, 1)
    most: int | None = None
    weight: float = 0.0
    whole_weight: float = 0
    warm_up: settings.Part = 1.0
    learning_rate: float = 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_defaults_of_recipes_are_accepted(name):
    module = importlib.import_module(f"recipes.{name}")
    presets = getattr(module, "PRESETS", {"default": {}})
    for preset in presets.values():
        for smoke in ({}, getattr(module, "SMOKE", {})):
            settings.check_numbers(module.Config(**preset | smoke))


def test_recipes_were_found():
    assert len(NAMES) > 15


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({"epochs": 0}, "at least 1"),
        ({"batch_size": -5}, "at least 1"),
        ({"seed": -1}, "at least 0"),
        ({"samples": 0}, "at least 1"),
        ({"fine_tuning_epochs": -1}, "at least 0"),
        ({"sizes": (2, 0)}, "at least 1"),
        ({"levels": (0, -1)}, "at least 0"),
        ({"most": 0}, "at least 1"),
        ({"weight": -0.1}, "at least 0"),
        ({"weight": math.nan}, "at least 0"),
        ({"weight": math.inf}, "at least 0"),
        ({"warm_up": 20.0}, "from 0 to 1"),
        ({"learning_rate": 0.0}, "above 0"),
    ],
)
def test_numbers_that_make_no_sense(change, allowed):
    settings.check_numbers(Config())
    ((name, value),) = change.items()
    with pytest.raises(ValueError) as error:
        settings.check_numbers(Config(**change))
    expected = f"`{name}` must be {allowed}. Received: {name}={value}"
    assert str(error.value) == expected
