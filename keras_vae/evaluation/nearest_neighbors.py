"""Search by embedding."""

import keras

from keras_vae.evaluation.encode_in_batches import encode_in_batches
from keras_vae.typing import Array
from keras_vae.typing import Batches


def nearest_neighbors(
    model: keras.Model,
    query: Batches,
    gallery: Batches,
    k: int = 5,
    batch_size: int = 1000,
) -> tuple[Array, Array]:
    """Find the examples of a gallery whose codes are nearest to the query's.

    Distances are Euclidean and between the codes of `model.encode`. A query
    that is itself in the gallery is its own first neighbour.

    Args:
        model: A model with `encode`.
        query: Array or batched `tf.data.Dataset` of inputs.
        gallery: Array or batched `tf.data.Dataset` of inputs, searched.
        k: Number of neighbours. Defaults to 5.
        batch_size: Examples encoded at a time. Defaults to 1000.

    Returns:
        Tuple `(indices, distances)` of arrays of shape `(queries, k)`,
        nearest first; `indices` point into the gallery.

    Raises:
        ValueError: If `k` is not in [1, examples in the gallery], or one of
            the data sets is empty.

    Example:

    >>> import numpy as np
    >>> from keras_vae.evaluation import nearest_neighbors
    >>> class Identity:
    ...     def encode(self, x):
    ...         return x
    >>> gallery = np.array([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]])
    >>> indices, distances = nearest_neighbors(
    ...     Identity(), np.array([[4.0, 5.0]]), gallery, k=2
    ... )
    >>> print(indices[0], distances[0, 0])
    [2 1] 1.0
    """
    from sklearn.neighbors import NearestNeighbors

    codes = encode_in_batches(model, gallery, batch_size)
    if not 1 <= k <= len(codes):
        raise ValueError(
            "`k` must be between 1 and the number of examples in the gallery, "
            f"{len(codes)}. Received: k={k}"
        )
    search = NearestNeighbors(n_neighbors=k).fit(codes)
    distances, indices = search.kneighbors(
        encode_in_batches(model, query, batch_size)
    )
    return indices, distances
