"""Codes of images whose factors are known."""

from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.datasets.factor_images import FactorImages
from keras_vae.typing import Array
from keras_vae.typing import TensorLike

_BATCH_SIZE = 256


class EncodedImages:
    """Codes of all images of a data set: a representation without a network.

    Args:
        codes: float array (num_images, units), in the order of the images.

    Raises:
        ValueError: If these are not finite codes of at least one unit.
    """

    def __init__(self, codes: ArrayLike) -> None:
        self.codes = checked(codes)


#: What the scores take: a function from images to codes, or codes.
Representation: TypeAlias = Callable[[Array], TensorLike] | EncodedImages


def encode_all(
    representation: Callable[[Array], TensorLike],
    data: FactorImages,
    batch_size: int = _BATCH_SIZE,
    verbose: int | str = "auto",
) -> EncodedImages:
    """Codes of every image of a data set, computed once.

    Args:
        representation: Callable from images (batch, *event_shape) to codes
            (batch, units), such as `model.encode`.
        data: `keras_vae.datasets.FactorImages`.
        batch_size: int, images at once.
        verbose: 0, 1 or "auto": a progress bar on long runs.

    Returns:
        `EncodedImages`, which the scores take as a representation.

    Raises:
        ValueError: If the codes are not finite, or have no units.
    """
    order = np.arange(data.num_images)
    return EncodedImages(
        _encode(representation, data, order, batch_size, verbose)
    )


def prepared(
    representation: Representation,
    data: FactorImages,
    num: int,
    verbose: int | str,
) -> Representation:
    """A representation for `num` codes: of all images, if that is less."""
    if isinstance(representation, EncodedImages) or num <= data.num_images:
        return representation
    return encode_all(representation, data, verbose=verbose)


def codes_of(
    representation: Representation,
    data: FactorImages,
    factors: Array,
    verbose: int | str = 0,
) -> Array:
    """Codes of images of factors: float64 array (num, units).

    Args:
        representation: callable, or `EncodedImages`.
        data: `FactorImages`.
        factors: int array (num, num_factors).
        verbose: 0, 1 or "auto".
    """
    index = data.index(factors)
    if not isinstance(representation, EncodedImages):
        return _encode(representation, data, index, _BATCH_SIZE, verbose)
    codes = representation.codes
    if len(codes) != data.num_images:
        raise ValueError(
            f"`representation` must hold codes of {data.num_images} images, "
            f"as `data`. Received: codes of {len(codes)}"
        )
    return codes[index]


def _encode(
    representation: Callable[[Array], TensorLike],
    data: FactorImages,
    index: Array,
    batch_size: int,
    verbose: int | str,
) -> Array:
    positive_int("batch_size", batch_size)
    if not callable(representation):
        raise ValueError(
            "`representation` must be a function of images, or "
            f"`EncodedImages`. Received: representation={representation!r}"
        )
    starts = range(0, len(index), batch_size)
    bar = None
    if verbose == 1 or (verbose == "auto" and len(starts) > 100):
        bar = keras.utils.Progbar(len(starts), unit_name="batch")
    codes = []
    for start in starts:
        rows = data.at(index[start : start + batch_size])
        codes.append(np.asarray(representation(rows)))
        if bar is not None:
            bar.add(1)
    return checked(np.concatenate(codes), len(index))


def checked(codes: ArrayLike, num: int | None = None) -> Array:
    """Codes as float64 (num, units), if they are such."""
    codes = np.asarray(codes, "float64")
    if codes.ndim != 2 or 0 in codes.shape or num not in (None, len(codes)):
        raise ValueError(
            "`representation` must give codes of shape (batch, units), with "
            f"at least one unit. Received: codes of shape {codes.shape}"
        )
    if not np.all(np.isfinite(codes)):
        raise ValueError(
            "`representation` must give finite codes. Received: "
            f"{np.sum(~np.isfinite(codes))} values that are NaN or infinite"
        )
    return codes


def sample(
    representation: Representation,
    data: FactorImages,
    num: int,
    rng: np.random.Generator,
    verbose: int | str = 0,
) -> tuple[Array, Array]:
    """Factors (num, num_factors) drawn uniformly, and their codes."""
    factors = data.sample_factors(num, rng)
    return factors, codes_of(representation, data, factors, verbose=verbose)
