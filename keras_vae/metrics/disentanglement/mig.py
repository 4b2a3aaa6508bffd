from collections.abc import Callable
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from tensorflow_probability import distributions as tfd

from keras_vae.arguments import positive_int
from keras_vae.datasets.factor_images import FactorImages
from keras_vae.metrics.disentanglement.codes import Representation
from keras_vae.metrics.disentanglement.codes import checked
from keras_vae.metrics.disentanglement.codes import encode_all
from keras_vae.metrics.disentanglement.codes import sample
from keras_vae.typing import Array


def mig(
    representation: Representation,
    data: FactorImages,
    num: int = 10_000,
    num_bins: int = 20,
    factors: Sequence[int] | None = None,
    seed: int = 0,
    verbose: int | str = "auto",
) -> float:
    """Mutual information gap of codes in bins (Locatello et al.).

    mean over factors k of (I(z_1st; v_k) - I(z_2nd; v_k)) / H(v_k), the two
    units that tell most of v_k. A lone unit has a second of 0.

    Each unit is put into `num_bins` bins of equal width. Chen et al.
    themselves take the entropies of q(z | x) and leave the shape of dSprites
    out: see `posterior_mig`; the two are not to be compared.

    Args:
        representation: Callable from images to codes (batch, units), means of
            q(z | x); or `EncodedImages`.
        data: `keras_vae.datasets.FactorImages`.
        num: int, images.
        num_bins: int >= 2.
        factors: None (all that have more than one value), or list of int.
        seed: int.
        verbose: 0, 1 or "auto": a progress bar on long runs.

    Returns:
        float in [0, 1].

    Raises:
        ValueError: If the codes are not finite, or have no units.

    Reference:
        Chen, Li, Grosse, Duvenaud, 2018, equation 6, in the protocol of
        Locatello et al., 2019.
    """
    from sklearn.metrics import mutual_info_score

    rng = np.random.default_rng(seed)
    values, codes = sample(representation, data, num, rng, verbose)
    chosen = _factors(data, factors)
    values = values[:, chosen]
    information = mutual_information(codes, values, num_bins)
    entropy = np.array([mutual_info_score(v, v) for v in values.T])
    return _gap(information, entropy)


def mutual_information(
    codes: ArrayLike, factors: ArrayLike, num_bins: int = 20
) -> Array:
    """I(z_j; v_k) in nats, units in bins of equal width.

    Args:
        codes: array (num, units).
        factors: int array (num, num_factors).
        num_bins: int >= 2.

    Returns:
        float64 array (units, num_factors).

    Raises:
        ValueError: If the codes are not finite, or `num_bins` is below 2.
    """
    from sklearn.metrics import mutual_info_score

    positive_int("num_bins", num_bins, at_least=2)
    bins = [_bins(unit, num_bins) for unit in checked(codes).T]
    return np.array(
        [[mutual_info_score(v, b) for v in np.asarray(factors).T] for b in bins]
    )


def posterior_mig(
    posterior: Callable[[Array], tfd.Distribution],
    data: FactorImages,
    num: int = 10_000,
    factors: Sequence[int] | None = None,
    max_images: int | None = None,
    seed: int = 0,
    verbose: int | str = "auto",
) -> float:
    """Mutual information gap of q(z | x) (Chen et al.).

    I(z_j; v_k) = H(z_j) - E_v[H(z_j | v_k = v)], of the aggregate posterior
    q(z_j) = mean of q(z_j | x) over all images, and over those with v_k = v;
    the gap is over log of the number of values of v_k. Entropies are means
    over `num` draws.

    Args:
        posterior: Callable from images to a tfd normal distribution, such as
            `model.posterior`, of independent units.
        data: `keras_vae.datasets.FactorImages`.
        num: int, draws for each entropy.
        factors: None (all that have more than one value), or list of int;
            Chen et al. leave out the shape of dSprites, factor 0.
        max_images: None, or int: the aggregates are of as many images at
            most, drawn at random.
        seed: int.
        verbose: 0, 1 or "auto": a progress bar on long runs.

    Returns:
        float, up to the error of the draws in [0, 1].

    Raises:
        ValueError: If the posterior is not finite, or an argument is out of
            its range.

    Reference:
        Chen, Li, Grosse, Duvenaud, 2018, section 4 and appendix C.
    """
    rng = np.random.default_rng(seed)

    def moments(x: Array) -> Array:
        q = posterior(x)
        return np.concatenate([q.mean(), q.stddev()], axis=1)

    codes = encode_all(moments, data, verbose=verbose).codes
    mean, scale = np.split(codes, 2, axis=1)
    values = data.factors_of(np.arange(data.num_images))
    chosen = _factors(data, factors)
    most = data.num_images if max_images is None else max_images
    positive_int("max_images", most)

    def entropies(rows: Array, draws: int) -> Array:
        """H(z_j) of the images of these rows, by unit."""
        if len(rows) > most:
            rows = rng.choice(rows, most, replace=False)
        drawn = rng.choice(rows, draws)
        noise = rng.normal(size=(draws, mean.shape[1]))
        z = mean[drawn] + scale[drawn] * noise
        return -_log_aggregate(z, mean[rows], scale[rows]).mean(axis=0)

    total = entropies(np.arange(data.num_images), positive_int("num", num))
    information, sizes = [], []
    for k in chosen:
        size = data.factor_sizes[k]
        draws = max(1, num // size)
        conditional = [
            entropies(np.flatnonzero(values[:, k] == v), draws)
            for v in range(size)
        ]
        information.append(total - np.mean(conditional, axis=0))
        sizes.append(size)
    return _gap(np.stack(information, axis=1), np.log(sizes))


def _log_aggregate(z: Array, mean: Array, scale: Array) -> Array:
    """log of the mean over images of q(z_j | x): (draws, units)."""
    result = np.empty_like(z)
    rows = max(1, 4_000_000 // len(mean))
    for j in range(z.shape[1]):
        constant = np.log(scale[:, j]) + 0.5 * np.log(2 * np.pi)
        for start in range(0, len(z), rows):
            part = z[start : start + rows, j, None]
            error = (part - mean[:, j]) / scale[:, j]
            log_q = -0.5 * error**2 - constant
            top = log_q.max(axis=1, keepdims=True)
            total = np.log(np.mean(np.exp(log_q - top), axis=1))
            result[start : start + rows, j] = top[:, 0] + total
    return result


def _factors(data: FactorImages, factors: Sequence[int] | None) -> list[int]:
    """Indices of the factors that count."""
    varying = [k for k, n in enumerate(data.factor_sizes) if n > 1]
    chosen = varying if factors is None else list(factors)
    if not chosen or not set(chosen) <= set(varying):
        raise ValueError(
            f"`factors` must be some of {varying}, which have more than one "
            f"value. Received: factors={factors}"
        )
    return chosen


def _bins(values: Array, num_bins: int) -> Array:
    """Numbers of bins of equal width, the largest value in the last."""
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros(len(values), int)
    place = (values - low) / (high - low) * num_bins
    return np.minimum(place.astype(int), num_bins - 1)


def _gap(information: Array, entropy: Array) -> float:
    """Mean over factors of first minus second, over the entropy."""
    information = np.sort(information, axis=0)[::-1]
    second = information[1] if len(information) > 1 else 0.0
    gap = information[0] - second
    # Of few images a factor may have one value: nothing can be told of it.
    shares = np.divide(gap, entropy, out=np.zeros_like(gap), where=entropy > 0)
    return float(np.mean(shares))
