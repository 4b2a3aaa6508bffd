import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.datasets.factor_images import FactorImages
from keras_vae.metrics.disentanglement.codes import Representation
from keras_vae.metrics.disentanglement.codes import codes_of
from keras_vae.metrics.disentanglement.codes import prepared


def beta_vae_score(
    representation: Representation,
    data: FactorImages,
    num_train: int = 10_000,
    num_test: int = 5_000,
    num_pairs: int = 64,
    seed: int = 0,
    verbose: int | str = "auto",
) -> float:
    """How well a linear classifier finds the factor that pairs share.

    A point is made of `num_pairs` pairs of images that share one factor,
    drawn at random, and nothing else: the mean of |z_1 - z_2| over the pairs.
    The score is the accuracy of logistic regression from points to factors.

    Args:
        representation: Callable from images to codes (batch, units), or
            `EncodedImages`.
        data: `keras_vae.datasets.FactorImages`.
        num_train, num_test: int, points to train and to test on.
        num_pairs: int, pairs of a point.
        seed: int.
        verbose: 0, 1 or "auto": a progress bar on long runs.

    Returns:
        Accuracy on the test points, float in [0, 1]; chance is one over the
        number of factors.

    Raises:
        ValueError: If the codes are not finite, or have no units.

    Reference:
        Higgins et al., 2017, section 3, in the protocol of Locatello et al.,
        2019.
    """
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    train = positive_int("num_train", num_train)
    num = train + positive_int("num_test", num_test)
    needed = 2 * num * positive_int("num_pairs", num_pairs)
    representation = prepared(representation, data, needed, verbose)
    shared = rng.integers(0, data.num_factors, num)
    points = []
    # Some points at once: the factors of all pairs would take gigabytes.
    for part in np.array_split(shared, max(1, num // 500)):
        first, second = (
            data.sample_factors(len(part) * num_pairs, rng) for _ in range(2)
        )
        rows = np.arange(len(first))
        column = np.repeat(part, num_pairs)
        second[rows, column] = first[rows, column]
        distance = abs(
            codes_of(representation, data, first)
            - codes_of(representation, data, second)
        )
        points.append(distance.reshape(len(part), num_pairs, -1).mean(axis=1))
    table = np.concatenate(points)
    if len(set(shared[:train])) < 2:
        return float(np.mean(shared[train:] == shared[0]))
    classifier = LogisticRegression(max_iter=1000)
    classifier.fit(table[:train], shared[:train])
    return float(classifier.score(table[train:], shared[train:]))
