"""Greedy training of a stack."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_vae.evaluation import encode_in_batches
from keras_vae.stacking import levels
from keras_vae.typing import Array


def pretrain(
    autoencoders: Sequence[keras.Model],
    x: Array,
    validation: Array | None = None,
    fit: Callable[..., keras.Model | None] | None = None,
    epochs: int | Sequence[int] = 1,
    **fit_arguments: Any,
) -> list[keras.Model]:
    """Train a stack of autoencoders one by one, the lowest first.

    Each level is trained on the clean codes of the level below: those of
    `encode`, deterministic and without corruption, also where that level
    corrupts its own input while it is trained.

    Levels are any models of this library with an encoder and a decoder (of a
    VAE the code is the posterior mean). The data of a level are codes: its
    likelihood must take them, "bernoulli" those of sigmoid units, say.

    Args:
        autoencoders: List of compiled models, the one next to the data first.
        x: Array of training examples.
        validation: Array of validation examples, or None.
        fit: How one level is trained: None calls its `fit`. Else a callable
            of (index, model, x, validation), index from 0; a model that it
            returns (one read back from the best epoch, say) takes the place
            of the one given.
        epochs: Epochs of each level, or a list with those of every level.
        **fit_arguments: Further arguments of every `fit`, `batch_size` and
            `callbacks` among them.

    Returns:
        List of the trained models, the very ones given unless `fit` replaced
        them. What a level logged is in its `history`, as after any `fit`.

    Raises:
        ValueError: If levels do not chain (found before any training), or an
            argument does not fit.

    Example:
    >>> def level(inputs, units):
    ...     model = keras_vae.Autoencoder(
    ...         keras.Sequential(
    ...             [
    ...                 keras.Input((inputs,)),
    ...                 keras.layers.Dense(units, activation="sigmoid"),
    ...             ]
    ...         ),
    ...         keras.Sequential(
    ...             [keras.Input((units,)), keras.layers.Dense(inputs)]
    ...         ),
    ...         "bernoulli",
    ...     )
    ...     model.compile("adam")
    ...     return model
    >>> stack = [level(6, 4), level(4, 2)]
    >>> stack = keras_vae.stacking.pretrain(
    ...     stack, np.ones((8, 6), "float32"), epochs=[2, 1], verbose=0
    ... )
    >>> [len(model.history.epoch) for model in stack]
    [2, 1]

    Reference:
        Vincent, Larochelle, Lajoie, Bengio, Manzagol, 2010, section 3.5.
    """
    autoencoders = list(autoencoders)
    if fit is None:
        fit = _keras_fit(len(autoencoders), epochs, fit_arguments)
    elif fit_arguments or epochs != 1:
        raise ValueError(
            "Arguments of Keras's `fit` have no use where `fit` is given. "
            f"Received: epochs={epochs}, {fit_arguments}"
        )
    _check_array("x", x)
    if validation is not None:
        _check_array("validation", validation)
    levels.build(autoencoders, x.shape[1:])
    trained: list[keras.Model] = []
    for index, model in enumerate(autoencoders):
        if index > 0:
            x = _codes(trained[-1], x)
            if validation is not None:
                validation = _codes(trained[-1], validation)
        result = fit(index, model, x, validation)
        trained.append(result if isinstance(result, keras.Model) else model)
    return trained


def _keras_fit(
    count: int, epochs: int | Sequence[int], fit_arguments: dict[str, Any]
) -> Callable[..., None]:
    if isinstance(epochs, (Sequence, np.ndarray)):
        each = list(epochs)
    else:
        each = [epochs] * count
    if len(each) != count:
        raise ValueError(
            f"`epochs` must be a number, or a list with one for each of the "
            f"{count} levels. Received: epochs={epochs}"
        )

    def fit(
        index: int, model: keras.Model, x: Array, validation: Array | None
    ) -> None:
        model.fit(
            x,
            validation_data=None if validation is None else (validation,),
            epochs=each[index],
            **fit_arguments,
        )

    return fit


def _check_array(argument: str, array: Any) -> None:
    if not isinstance(array, np.ndarray):
        raise ValueError(
            f"`{argument}` must be a NumPy array: codes of all of it are made "
            f"for the next level. Received: {argument} of {type(array)}"
        )


def _codes(model: keras.Model, x: Array) -> Array:
    return encode_in_batches(model, x).reshape(len(x), *model.latent_shape())
