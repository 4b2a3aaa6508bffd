"""Where image sets come from, and what a sound one looks like."""

import os
import pathlib
import re
from collections.abc import Sequence
from typing import TypeAlias

import keras
import numpy as np

from keras_vae.arguments import PLAIN_NAME
from keras_vae.arguments import proper_fraction
from keras_vae.datasets.arrays import Arrays
from keras_vae.npz import read_npz
from keras_vae.typing import Array
from keras_vae.typing import PathLike

DOWNLOADED = ("mnist", "fashion_mnist", "cifar10")
#: Images and their labels.
_Pair: TypeAlias = tuple[Array, Array | None]

KNOWN = ("digits", *DOWNLOADED, "tfds/<name>")


def load_arrays(
    name: str,
    data_dir: PathLike | None = None,
    validation_fraction: float | None = None,
) -> Arrays:
    """Load an image set into memory.

    A file `<name>.npz` of the data folder goes before the built-in names. It
    holds `x_train` and `x_test` and, where it has them, `x_valid` and the
    labels `y_train`, `y_valid`, `y_test`; or a lone `x` (and `y`), of which a
    tenth becomes the test split. Images are (count, height, width) or (count,
    height, width, channels): uint8 up to 255, uint8 in {0, 1}, or floats in
    [0, 1].

    Where the source does not fix a split, examples are taken at random, the
    same ones always. Neighbouring frames of a video then lie on both sides.

    Args:
        name: "digits" (scikit-learn's, no download), "mnist",
            "fashion_mnist" or "cifar10" (downloaded once by
            `keras.datasets`), the name of a file in the data folder, or
            "tfds/<name>" for `tensorflow_datasets`.
        data_dir: The data folder; None takes the environment variable
            KERAS_VAE_DATA. Nothing is downloaded in place of a file that an
            explicit folder lacks. For "tfds/<name>" the folder of
            `tensorflow_datasets`.
        validation_fraction: None keeps the validation split of the source, or
            sets a tenth of the training examples aside where it has none. A
            number in [0, 1) divides all of them anew.

    Returns:
        An `Arrays`.

    Raises:
        ValueError: If the name is unknown, or the data are damaged or not
            images.
        OSError: If the folder or the file cannot be read, or the download
            fails.
        ImportError: If "tfds/<name>" is asked for without
            `tensorflow_datasets`.

    Example:
    >>> arrays = keras_vae.datasets.load_arrays("digits")
    >>> arrays.x_test.shape, arrays.y_test.shape
    ((360, 8, 8, 1), (360,))
    """
    if validation_fraction is not None:
        proper_fraction("validation_fraction", validation_fraction)
    source, data = _read(name, data_dir)
    if {"x_train", "x_test"} <= data.keys():
        splits = ["_train", "_test", *(["_valid"] if "x_valid" in data else [])]
        pairs = [_pair(source, data, split) for split in splits]
    elif "x" in data:
        pairs = _divide(source, _pair(source, data, ""), 0.1)
    else:
        raise ValueError(
            f"{source} must hold images: x_train and x_test, or x alone. "
            f"Received: {sorted(data)}"
        )
    train, test, *validation = pairs
    _check_alike(source, [train[0], test[0], *(x for x, _ in validation)])
    if validation_fraction is not None or not validation:
        if validation:
            train = _join(train, *validation)
        fraction = 0.1 if validation_fraction is None else validation_fraction
        train, *validation = _divide(source, train, fraction)
    return Arrays(*train, *validation[0], *test)


def _read(
    name: str, data_dir: PathLike | None
) -> tuple[PathLike, dict[str, Array]]:
    """Return where the data come from, and its arrays by key."""
    if not isinstance(name, str) or not re.fullmatch(
        rf"{PLAIN_NAME}|tfds(/{PLAIN_NAME})+", name
    ):
        raise ValueError(
            "`name` must be a plain name, without folders, or tfds/<name>. "
            f"Received: name={name!r}"
        )
    folder = data_dir or os.environ.get("KERAS_VAE_DATA")
    if name.startswith("tfds/"):
        return name, _read_tfds(name.removeprefix("tfds/"), data_dir)
    if folder:
        folder = pathlib.Path(folder)
        if not folder.is_dir():
            origin = "data_dir" if data_dir else "KERAS_VAE_DATA"
            raise NotADirectoryError(
                f"The data folder is not a folder. Received: {origin}={folder}"
            )
        path = folder / f"{name.removesuffix('.npz')}.npz"
        if path.exists():
            return path, _read_npz(path)
    if name == "digits":
        return name, _read_digits()
    if name in DOWNLOADED and not data_dir:
        return name, _download(name)
    if folder:
        files = ", ".join(sorted(file.name for file in folder.glob("*.npz")))
        raise FileNotFoundError(
            f"{path} does not exist. The folder holds: {files or 'no .npz'}; "
            f"known without a folder: {', '.join(KNOWN)}. "
            f"Received: name={name!r}"
        )
    raise ValueError(
        f"`name` must be one of {', '.join(KNOWN)}, or a file of `data_dir` "
        f"or of the folder KERAS_VAE_DATA. Received: name={name!r}"
    )


def _read_npz(path: PathLike) -> dict[str, Array]:
    keys = [a + b for a in "xy" for b in ("", "_train", "_valid", "_test")]
    return read_npz(path, keys)


def _read_digits() -> dict[str, Array]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Every fifth of each class, and every eighth of the rest of it.
    order = _permutation(len(digits.target))
    order = order[np.argsort(digits.target[order], kind="stable")]
    rest = np.delete(order, np.s_[::5])
    rows = {
        "test": order[::5],
        "valid": rest[::8],
        "train": np.delete(rest, np.s_[::8]),
    }
    data = {}
    for split, chosen in rows.items():
        chosen = np.sort(chosen)
        data[f"x_{split}"] = digits.images[chosen] / 16
        data[f"y_{split}"] = digits.target[chosen]
    return data


def _download(name: str) -> dict[str, Array]:
    try:
        train, test = getattr(keras.datasets, name).load_data()
    # Keras raises a plain Exception without a network.
    except Exception as error:
        raise OSError(
            f"{name} could not be downloaded, nor read from Keras' cache "
            f"({error}). A folder with {name}.npz can be named by `data_dir`."
        ) from error
    keys = ("x_train", "y_train", "x_test", "y_test")
    return dict(zip(keys, (*train, *test)))


def _read_tfds(name: str, data_dir: PathLike | None) -> dict[str, Array]:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            "Names that begin with tfds/ need TensorFlow Datasets: "
            "pip install 'keras_vae[datasets]'"
        ) from error
    splits = tfds.as_numpy(tfds.load(name, data_dir=data_dir, batch_size=-1))
    ends = {"train": "_train", "validation": "_valid", "test": "_test"}
    if "test" not in splits:
        ends["train"] = ""
    return {
        key + ends[split]: features[feature]
        for split, features in splits.items()
        if split in ends
        for key, feature in (("x", "image"), ("y", "label"))
        if feature in features
    }


def _pair(source: PathLike, data: dict[str, Array], suffix: str) -> _Pair:
    """Return checked images and labels."""
    key, x, y = f"x{suffix}", data[f"x{suffix}"], data.get(f"y{suffix}")
    if x.ndim not in (3, 4) or not x.size:
        raise ValueError(
            f"{source}: {key} must be images, (count, height, width) or "
            "(count, height, width, channels), and not empty. "
            f"Received: {key} of shape {x.shape}"
        )
    x = x if x.ndim == 4 else x[..., None]
    if x.dtype == bool:
        x = x.astype("uint8")
    elif np.issubdtype(x.dtype, np.floating):
        low, high = x.min(), x.max()
        # Not a number fails every comparison.
        if not (low >= 0 and high <= 1):
            raise ValueError(
                f"{source}: {key} must hold floats in [0, 1]. "
                f"Received: {key} with minimum {low} and maximum {high}"
            )
        x = x.astype("float32")
    elif x.dtype != np.uint8:
        raise ValueError(
            f"{source}: {key} must be of type uint8 or float. "
            f"Received: {key} of type {x.dtype}"
        )
    if y is None:
        return x, None
    if y.dtype.kind not in "iu" or y.shape not in ((len(x),), (len(x), 1)):
        raise ValueError(
            f"{source}: y{suffix} must hold one integer per image, {len(x)}. "
            f"Received: y{suffix} of shape {y.shape} and type {y.dtype}"
        )
    return x, y.reshape(-1).astype("int32")


def _check_alike(source: PathLike, images: Sequence[Array]) -> None:
    kinds = {(x.shape[1:], x.dtype.name) for x in images}
    if len(kinds) > 1:
        raise ValueError(
            f"{source}: all splits must have images of one shape and type. "
            f"Received: {sorted(kinds)}"
        )
    peaks = [int(x.max()) for x in images]
    if images[0].dtype == np.uint8 and peaks[0] <= 1 < max(peaks):
        raise ValueError(
            f"{source}: the training images are binary, so all must be. "
            f"Received: maxima {peaks} of the splits"
        )


def _permutation(count: int) -> Array:
    # NumPy freezes the streams of RandomState, so a split never changes.
    return np.random.RandomState(0).permutation(count)


def _divide(source: PathLike, pair: _Pair, fraction: float) -> list[_Pair]:
    """Take a random fraction out; return (the rest, the fraction)."""
    x, y = pair
    order = _permutation(len(x))
    taken = round(fraction * len(x)) or (fraction > 0)
    if taken >= len(x):
        raise ValueError(
            f"{source}: {len(x)} examples are too few to be divided. "
            f"Received: a fraction of {fraction}"
        )
    rows = np.sort(order[taken:]), order[:taken]
    return [(x[r], None if y is None else y[r]) for r in rows]


def _join(first: _Pair, second: _Pair) -> _Pair:
    (x, y), (x_more, y_more) = first, second
    if y is not None and y_more is not None:
        y = np.concatenate([y, y_more])
    else:
        y = None
    return np.concatenate([x, x_more]), y
