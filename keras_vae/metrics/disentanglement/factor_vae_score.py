import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.datasets.factor_images import FactorImages
from keras_vae.metrics.disentanglement.codes import Representation
from keras_vae.metrics.disentanglement.codes import codes_of
from keras_vae.metrics.disentanglement.codes import prepared
from keras_vae.metrics.disentanglement.codes import sample


def factor_vae_score(
    representation: Representation,
    data: FactorImages,
    num_train: int = 10_000,
    num_test: int = 5_000,
    batch_size: int = 64,
    num_variance: int = 10_000,
    threshold: float = 0.05,
    seed: int = 0,
    verbose: int | str = "auto",
) -> float:
    """How well the unit that varies least tells which factor was fixed.

    A vote is made of `batch_size` images that share one factor, drawn at
    random: the unit with the least variance, in units of its variance over
    all images. The score is the accuracy of the majority vote from units to
    factors. Units whose standard deviation over all images is below
    `threshold` take no part; if none is left the score is 0.

    Args:
        representation: Callable from images to codes (batch, units), or
            `EncodedImages`.
        data: `keras_vae.datasets.FactorImages`.
        num_train, num_test: int, votes to train and to test on.
        batch_size: int >= 2, images of a vote.
        num_variance: int >= 2, images for the variance over all.
        threshold: float.
        seed: int.
        verbose: 0, 1 or "auto": a progress bar on long runs.

    Returns:
        Accuracy on the test votes, float in [0, 1].

    Raises:
        ValueError: If the codes are not finite, or have no units.

    Reference:
        Kim, Mnih, 2018, section 4, in the protocol of Locatello et al., 2019.
    """
    rng = np.random.default_rng(seed)
    train = positive_int("num_train", num_train)
    test = positive_int("num_test", num_test)
    sizes = {"batch_size": batch_size, "num_variance": num_variance}
    for name, size in sizes.items():
        if positive_int(name, size) < 2:
            raise ValueError(
                f"`{name}` must be at least 2: one image has no variance. "
                f"Received: {name}={size}"
            )
    needed = num_variance + (train + test) * batch_size
    representation = prepared(representation, data, needed, verbose)
    _, codes = sample(representation, data, num_variance, rng, verbose)
    variance = codes.var(axis=0, ddof=1)
    active = np.sqrt(variance) >= threshold
    if not active.any():
        return 0.0
    fixed = rng.integers(0, data.num_factors, train + test)
    votes = []
    for part in np.array_split(fixed, max(1, len(fixed) // 500)):
        factors = data.sample_factors(len(part) * batch_size, rng)
        factors = factors.reshape(len(part), batch_size, -1)
        rows = np.arange(len(part))
        factors[rows, :, part] = factors[rows, :1, part]
        codes = codes_of(
            representation, data, factors.reshape(-1, data.num_factors)
        ).reshape(len(part), batch_size, -1)
        share = codes.var(axis=1, ddof=1)[:, active] / variance[active]
        votes.append(share.argmin(axis=1))
    chosen = np.concatenate(votes)
    table = np.zeros((active.sum(), data.num_factors), int)
    np.add.at(table, (chosen[:train], fixed[:train]), 1)
    found = table.argmax(axis=1)[chosen[train:]]
    return float(np.mean(found == fixed[train:]))
