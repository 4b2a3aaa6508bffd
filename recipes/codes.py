"""From images to the codes of a VQ-VAE, and numbers of both."""

import math

import keras
import numpy as np

from keras_vae.callbacks.writing import atomic_file
from keras_vae.npz import read_npz
from recipes.fingerprint import fingerprint

_SPLITS = ("train", "validation", "test")
# Beside the codes: whose they are.
_WEIGHTS = "autoencoder_sha256"


def extract(run, model, arrays, priors=(), batch_size=500):
    """The codes of all images, by split, written to codes.npz.

    A file that is there is read, if it holds the codes of this very model:
    more epochs change them. The chief writes, all workers read.

    Args:
        run: `harness.Run`, whose model is trained.
        model: with `encode_indices`.
        arrays: `datasets.Arrays`, float32.
        priors: stages whose models are trained on the codes.
        batch_size: int, images encoded at a time.

    Returns:
        dict of split to the list of int32 arrays (n, *positions) by level,
        bottom first.

    Raises:
        ValueError: If a prior was trained on other codes, or the file is
            damaged.
    """
    path = run.path / "codes.npz"
    levels = len(model.quantizers)
    if run.chief and not _are_of(model, path):
        _refuse_priors([run.path / stage for stage in priors])
        _write(model, arrays, path, batch_size)
    run.wait_for_chief()
    stored = read_npz(path)
    found = {}
    for split in _SPLITS:
        keys = [_key(split, level, levels) for level in range(1, levels + 1)]
        found[split] = [stored.get(key) for key in keys]
        num = len(getattr(arrays, f"x_{split}"))
        for key, values, shape, quantizer in zip(
            keys, found[split], model.code_shapes(), model.quantizers
        ):
            _check(path, key, values, (num, *shape), quantizer.num_embeddings)
    return found


def _are_of(model, path):
    """Whether the codes of a file are those of a model."""
    if not path.exists():
        return False
    weights = read_npz(path, (_WEIGHTS,)).get(_WEIGHTS)
    return weights is not None and str(weights) == fingerprint(model)


def _refuse_priors(folders):
    """Raises a ValueError if there are priors, which know other codes."""
    found = [str(folder) for folder in folders if folder.exists()]
    if found:
        raise ValueError(
            "The codes have changed, or were lost, since a prior was trained "
            "on them: remove its folder, and `resume` trains it anew. "
            f"Received: {', '.join(found)}"
        )


def _write(model, arrays, path, batch_size):
    levels = len(model.quantizers)
    stored = {_WEIGHTS: np.array(fingerprint(model))}
    for split in _SPLITS:
        codes = _encode(model, getattr(arrays, f"x_{split}"), batch_size)
        for level, values in enumerate(codes, 1):
            stored[_key(split, level, levels)] = values
    with atomic_file(path) as file:
        np.savez_compressed(file, **stored)


def _check(path, key, values, shape, size):
    if (
        values is None
        or values.shape != shape
        or values.dtype != np.int32
        or (values.size and not 0 <= values.min() <= values.max() < size)
    ):
        raise ValueError(
            f"The codes {key} must be int32 of shape {shape}, from 0 to "
            f"{size - 1}; remove the file to encode the images again. "
            f"Received: {path}"
        )


def _key(split, level, levels):
    return f"x_{split}" if levels == 1 else f"x_{split}_{level}"


def _encode(model, x, batch_size):
    shapes = model.code_shapes()
    parts = [[np.zeros((0, *shape), "int32")] for shape in shapes]
    for start in range(0, len(x), batch_size):
        codes = model.encode_indices(x[start : start + batch_size])
        for part, level in zip(parts, keras.tree.flatten(codes)):
            part.append(np.asarray(level))
    return [np.concatenate(part) for part in parts]


def prior_data(run, codes, level):
    """Codes of a level, with those above as condition, as `harness.Data`."""

    def inputs(split):
        levels = codes[split]
        if level + 1 == len(levels):
            return levels[level]
        return {"indices": levels[level], "condition": levels[level + 1]}

    return run.data_of(*(inputs(split) for split in _SPLITS))


def quality(model, arrays, codes):
    """Errors and codebook statistics of a trained model, by name.

    Unused codes are those that no training image has.
    """
    numbers = {"test_nmse": nmse(model, arrays)}
    levels = len(model.quantizers)
    for level, quantizer in enumerate(model.quantizers, 1):
        suffix = f"_{level}" if levels > 1 else ""
        size = quantizer.num_embeddings
        share = np.bincount(codes["test"][level - 1].ravel(), minlength=size)
        share = share[share > 0] / share.sum()
        used = len(np.unique(codes["train"][level - 1]))
        numbers[f"test_perplexity{suffix}"] = float(
            np.exp(-np.sum(share * np.log(share)))
        )
        numbers[f"unused_codes{suffix}"] = size - used
    return numbers


def commitment_weight(of_means, event_shape, latent_shape):
    """The weight for sums that equals one for means, see `VQVAE`.

    Args:
        of_means: float, where all losses are means over their dimensions and
            the squared error is over the data's variance.
        event_shape, latent_shape: of one example and of its codes.
    """
    return of_means * math.prod(event_shape) / (2 * math.prod(latent_shape))


def nmse(model, arrays):
    """Mean squared error of test images over the training images' variance."""
    x = arrays.x_test
    reconstructions = model.predict(x, batch_size=500, verbose=0)
    error = np.mean(np.square(x - reconstructions), dtype="float64")
    return float(error / np.var(arrays.x_train, dtype="float64"))


def channel_means(arrays):
    """Mean of each channel of the training images: float64 array."""
    x = arrays.x_train
    return np.mean(x, axis=tuple(range(x.ndim - 1)), dtype="float64")


def training_std(arrays):
    """Standard deviation of all numbers of the training images."""
    return float(np.std(arrays.x_train, dtype="float64"))
