"""Pipelines that permute indices and gather whole batches."""

import itertools
import numbers
from typing import Any

import tensorflow as tf

from keras_vae.arguments import positive_int
from keras_vae.datasets.arrays import Arrays
from keras_vae.datasets.binarization import bernoulli
from keras_vae.datasets.binarization import draw
from keras_vae.datasets.binarization import fold_in
from keras_vae.datasets.binarization import stream
from keras_vae.datasets.sources import load_arrays
from keras_vae.datasets.splits import Splits
from keras_vae.typing import Array
from keras_vae.typing import PathLike
from keras_vae.typing import Scalar
from keras_vae.typing import TensorLike


def load(
    name: str,
    with_labels: bool = False,
    batch_size: int = 128,
    binarize: str | None = None,
    seed: int = 0,
    data_dir: PathLike | None = None,
    validation_fraction: float | None = None,
    **kwargs: Any,
) -> Splits:
    """Load an image set as pipelines of float32 batches in [0, 1].

    Args:
        name: As in `load_arrays`.
        with_labels, batch_size, binarize, seed: As in `from_arrays`.
        data_dir: As in `load_arrays`.
        validation_fraction: As in `load_arrays`.
        **kwargs: The other arguments of `from_arrays`.

    Returns:
        A `Splits`.

    Raises:
        ValueError: If an argument does not fit, or as in `load_arrays`.
        OSError: As in `load_arrays`.
        ImportError: As in `load_arrays`.

    Example:
    >>> splits = keras_vae.datasets.load("digits", binarize="dynamic")
    >>> next(iter(splits.train)).shape
    TensorShape([128, 8, 8, 1])

    Reference:
        Burda et al., 2016, section 5, for dynamic binarisation.
    """
    arrays = load_arrays(name, data_dir, validation_fraction)
    return from_arrays(
        arrays, with_labels, batch_size, binarize, seed, **kwargs
    )


def from_arrays(
    arrays: Arrays,
    with_labels: bool = False,
    batch_size: int = 128,
    binarize: str | None = None,
    seed: int = 0,
    repeat: bool = False,
    start_epoch: int = 0,
    drop_remainder: bool = False,
) -> Splits:
    """Make pipelines of float32 batches from arrays in memory.

    Order and binarisation noise are functions of (seed, epoch, batch index).
    With `repeat=True` a stream from `start_epoch` yields, bit for bit, what
    the stream from 0 yields from that epoch on, for

        fit(splits.train, steps_per_epoch=splits.steps_per_epoch,
            initial_epoch=start_epoch)

    Args:
        arrays: `Arrays`: images, or codes of images; int32 and int64 values
            are indices and are left as they are.
        with_labels: Whether batches are (x, label) pairs, for a classifier or
            an evaluation: an autoencoder's `fit` takes the second of a pair
            for the target.
        batch_size: Examples in a batch, over all replicas.
        binarize: None keeps the values; "static" draws each pixel once;
            "dynamic" draws the training pixels anew in every epoch, and the
            others once. Binary images stay as they are.
        seed: Integer for order and binarisation, not for the splits.
        repeat: Whether `train` is an endless stream of epochs. If not, each
            iteration of it is one epoch: the first is epoch 0, the next 1.
        start_epoch: First epoch of the endless stream.
        drop_remainder: Whether `train` leaves out a last, smaller batch.

    Returns:
        A `Splits`.

    Raises:
        ValueError: If an argument does not fit.

    Example:
    >>> arrays = keras_vae.datasets.load_arrays("digits")
    >>> splits = keras_vae.datasets.from_arrays(arrays, with_labels=True)
    >>> x, labels = next(iter(splits.train))
    >>> x.shape, labels.shape
    (TensorShape([128, 8, 8, 1]), TensorShape([128]))
    """
    positive_int("batch_size", batch_size)
    if binarize not in (None, "static", "dynamic"):
        raise ValueError(
            '`binarize` must be None, "static" or "dynamic". '
            f"Received: binarize={binarize!r}"
        )
    if not isinstance(start_epoch, numbers.Integral) or start_epoch < 0:
        raise ValueError(
            "`start_epoch` must be a non-negative integer. "
            f"Received: start_epoch={start_epoch!r}"
        )
    if start_epoch and not repeat:
        raise ValueError(
            "`start_epoch` needs `repeat=True`. "
            f"Received: start_epoch={start_epoch}, repeat={repeat}"
        )
    splits = ("train", "validation", "test")
    images = {split: getattr(arrays, f"x_{split}") for split in splits}
    labels = {split: getattr(arrays, f"y_{split}") for split in splits}
    sizes = {s: len(tf.nest.flatten(images[s])[0]) for s in splits}
    if with_labels and any(labels[s] is None for s in splits if sizes[s]):
        raise ValueError(
            f"The data set has no labels. Received: with_labels={with_labels}"
        )
    if drop_remainder and batch_size > sizes["train"]:
        raise ValueError(
            f"`batch_size` must not exceed the {sizes['train']} training "
            "examples where the remainder is dropped. "
            f"Received: batch_size={batch_size}"
        )

    positions = {
        split: _in_order(sizes[split], batch_size)
        for split in splits[1:]
        if sizes[split]
    }
    positions["train"] = _shuffled(
        sizes["train"],
        batch_size,
        drop_remainder,
        stream(seed, "order"),
        start_epoch if repeat else None,
    )
    batches = {}
    for split in positions:
        x, pixel_max, noise = images[split], arrays.pixel_max, None
        if split == "train" and binarize == "dynamic":
            noise = stream(seed, "noise")
        elif binarize:
            x, pixel_max = draw(x, stream(seed, split), pixel_max), 1
        y = labels[split] if with_labels else None
        batches[split] = _gather(positions[split], x, y, pixel_max, noise)
    return Splits(
        train=batches["train"],
        validation=batches.get("validation"),
        test=batches["test"],
        event_shape=tf.nest.map_structure(
            lambda x: x.shape[1:], arrays.x_train
        ),
        steps_per_epoch=_steps(sizes["train"], batch_size, drop_remainder),
        sizes=sizes,
    )


def _steps(count: int, batch_size: int, drop_remainder: bool) -> int:
    return count // batch_size if drop_remainder else -(-count // batch_size)


def _cut(
    order: tf.Tensor, batch_size: int, steps: int, epoch: Scalar
) -> tf.data.Dataset:
    """Yield (rows, epoch, step) of each batch of one epoch."""
    all_full = steps * batch_size <= len(order)

    def cut(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        rows = order[step * batch_size : (step + 1) * batch_size]
        if all_full:
            rows = tf.ensure_shape(rows, (batch_size,))
        return rows, epoch, step

    return tf.data.Dataset.range(steps).map(cut)


def _in_order(count: int, batch_size: int) -> tf.data.Dataset:
    steps = _steps(count, batch_size, drop_remainder=False)
    order = tf.range(count, dtype="int64")
    return _cut(order, batch_size, steps, epoch=0)


def _shuffled(
    count: int,
    batch_size: int,
    drop_remainder: bool,
    key: tf.Tensor,
    start_epoch: int | None,
) -> tf.data.Dataset:
    """Yield (rows, epoch, step) of one epoch, or of all from `start_epoch`."""
    steps = _steps(count, batch_size, drop_remainder)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype="int64"), fold_in(key, epoch), alg="philox"
        )
        return _cut(order, batch_size, steps, epoch)

    if start_epoch is None:
        # tf.data's own reshuffling would depend on the global seed too.
        counter = itertools.count()
        epochs = tf.data.Dataset.from_generator(
            lambda: itertools.islice(counter, 1),
            output_signature=tf.TensorSpec((), "int64"),
        )
        cardinality = steps
    else:
        epochs = tf.data.Dataset.counter(start_epoch)
        cardinality = tf.data.INFINITE_CARDINALITY
    return epochs.flat_map(one_epoch).apply(
        tf.data.experimental.assert_cardinality(cardinality)
    )


def _in_unit_range(x: TensorLike, pixel_max: int) -> tf.Tensor:
    """Pixels in float32; indices stay what they are."""
    if x.dtype in (tf.int32, tf.int64):
        return x
    return tf.cast(x, "float32") / pixel_max


def _gather(
    positions: tf.data.Dataset,
    images: Any,
    labels: Array | None,
    pixel_max: int,
    noise: Any,
) -> tf.data.Dataset:
    """Turn the positions of each batch into the batch."""
    # Gathered by the host: a copy on the accelerator would travel back.
    with tf.device("CPU:0"):
        images = tf.nest.map_structure(tf.constant, images)
        labels = None if labels is None else tf.constant(labels)

    def fetch(rows: tf.Tensor, epoch: tf.Tensor, step: tf.Tensor) -> Any:
        x = tf.nest.map_structure(
            lambda values: _in_unit_range(tf.gather(values, rows), pixel_max),
            images,
        )
        if noise is not None:
            x = bernoulli(x, fold_in(fold_in(noise, epoch), step))
        return x if labels is None else (x, tf.gather(labels, rows))

    options = tf.data.Options()
    options.deterministic = True
    # While it tunes, the end of an iterator now and then waits for the next
    # look at the pipeline, after 10 ms times a power of two: runs doubled.
    options.autotune.enabled = False
    return (
        positions.map(fetch, num_parallel_calls=2)
        .prefetch(4)
        .with_options(options)
    )
