"""Settings of a run, and the command line that sets them."""

import argparse
import dataclasses
import math
import sys
from typing import Annotated
from typing import Any
from typing import Literal
from typing import get_args
from typing import get_type_hints

from keras_vae import callbacks

#: A whole number of a config that may be 0; all others are at least 1.
MayBeZero = Annotated[int, "may be 0"]
#: Of hidden layers.
Activation = Literal[
    "elu", "gelu", "relu", "sigmoid", "silu", "softplus", "tanh"
]
#: A part of something, from 0 to 1; other numbers are not negative.
Part = Annotated[float, "from 0 to 1"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings that all recipes have.

    Args:
        data: Image set: digits (bundled), mnist, fashion_mnist, cifar10, or
            the name of a file in --data-dir.
        data_dir: Folder of .npz files (x_train, x_test, ...); default: the
            environment variable KERAS_VAE_DATA.
        validation_fraction: Part of the training images that chooses the best
            epoch; default: the split of the source, or a tenth.
        epochs: Passes over the training images.
        batch_size: Images in a batch, over all replicas.
        strategy: mirrored: all GPUs of this machine; multiworker: the
            processes named by TF_CONFIG.
        precision: Keras dtype policy of the networks.
        seed: Of weights, data order and noise.
        deterministic: Equal runs give equal bits (slower: no XLA).
        out: Run directory; default: the next runs/<recipe>/<number>.
        resume: Go on with the run in --out, after its last backup.
        saved_models: The model is exported to <this>/<recipe>/<version>.
        smoke: Seconds instead of minutes: everything runs, nothing is learnt.
    """

    data: str = "digits"
    data_dir: str | None = None
    validation_fraction: float | None = None
    epochs: int = 50
    batch_size: int = 100
    strategy: Literal["none", "mirrored", "multiworker"] = "none"
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: MayBeZero = 0
    deterministic: bool = False
    out: str | None = None
    resume: bool = False
    saved_models: str = "saved_models"
    smoke: bool = False


def check_numbers(config):
    """Raises a ValueError if a number of a config makes no sense.

    What is used after the training would otherwise be an error then.
    """
    for name, hint in get_type_hints(type(config), include_extras=True).items():
        value = getattr(config, name)
        for number in value if isinstance(value, tuple) else (value,):
            _check_number(name, number, value, hint)


def _check_number(name, number, value, hint):
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return
    allowed = "at least 0"
    if isinstance(number, int):
        least = 0 if _has(hint, MayBeZero) or _has(hint, float) else 1
        allowed, good = f"at least {least}", number >= least
    elif _has(hint, Part):
        allowed, good = "from 0 to 1", 0 <= number <= 1
    elif name.endswith("rate"):
        allowed, good = "above 0", 0 < number < math.inf
    else:
        good = 0 <= number < math.inf
    if not good:
        raise ValueError(
            f"`{name}` must be {allowed}. Received: {name}={value}"
        )


def _has(hint: Any, wanted: Any) -> bool:
    """Whether a type is another one, or made of it."""
    return hint == wanted or any(_has(part, wanted) for part in get_args(hint))


def command_line(
    recipe,
    train,
    config_class,
    presets=None,
    smoke=None,
    argv=None,
    chooser="preset",
):
    """Runs a recipe with settings from the command line.

    The chooser, `--preset`, and `--smoke` change the defaults of the other
    flags.

    Args:
        recipe: str, the name of the module in `recipes`.
        train: callable that takes a config.
        config_class: subclass of `Config`.
        presets: None, or dict from the values of the chooser to dicts of
            defaults.
        smoke: None, or dict of the defaults under `--smoke`.
        argv: None (those of the process), or list of str.
        chooser: str, the name of the field that chooses a preset.

    Raises:
        SystemExit: With status 2 and one line, if the user must change
            something.
    """
    import tyro

    argv = sys.argv[1:] if argv is None else list(argv)
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument(f"--{chooser}")
    first.add_argument("--smoke", action="store_true")
    chosen, _ = first.parse_known_args(argv)
    defaults = dict((presets or {}).get(getattr(chosen, chooser), {}))
    if chosen.smoke:
        defaults.update(smoke or {})
    config = tyro.cli(
        config_class,
        prog=f"python -m recipes.{recipe}",
        description=sys.modules[config_class.__module__].__doc__,
        args=argv,
        default=config_class(**defaults),
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    try:
        train(config)
    except (ValueError, OSError, ImportError, callbacks.NonFiniteError) as e:
        print(f"error: {e}", file=sys.stderr)
        raise SystemExit(2) from e
