import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.datasets import binarize
from keras_vae.datasets import load
from keras_vae.datasets import load_arrays


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, size=(70, 5, 4), dtype="uint8")
    y = np.arange(70, dtype="uint8")
    np.savez(
        tmp_path / "grey.npz",
        x_train=x[:50],
        x_test=x[50:],
        y_train=y[:50],
        y_test=y[50:],
    )
    np.savez(tmp_path / "binary.npz", x_train=x[:50] // 128, x_test=x // 128)
    return tmp_path


def whole(dataset):
    return np.concatenate([x for x in dataset.as_numpy_iterator()])


def batches(dataset, count=None):
    if count is not None:
        dataset = dataset.take(count)
    return list(dataset.as_numpy_iterator())


def assert_same(first, second):
    assert len(first) == len(second)
    for a, b in zip(first, second):
        for one, other in zip(tf.nest.flatten(a), tf.nest.flatten(b)):
            np.testing.assert_array_equal(one, other)


def test_digits():
    splits = load("digits", batch_size=100)
    assert splits.event_shape == (8, 8, 1)
    assert splits.sizes == {"train": 1257, "validation": 180, "test": 360}
    assert splits.steps_per_epoch == 13
    assert splits.train.cardinality() == 13
    arrays = load_arrays("digits")
    np.testing.assert_array_equal(whole(splits.test), arrays.x_test)
    np.testing.assert_array_equal(whole(splits.validation), arrays.x_validation)
    train = whole(splits.train)
    assert train.dtype == np.float32
    assert not np.array_equal(train, arrays.x_train)
    order = [
        np.lexsort(x.reshape(len(x), -1).T) for x in (train, arrays.x_train)
    ]
    np.testing.assert_array_equal(train[order[0]], arrays.x_train[order[1]])


@pytest.mark.parametrize("mode", [None, "static", "dynamic"])
def test_resumed_stream_is_bit_equal(folder, mode):
    def stream(start_epoch):
        return load(
            "grey",
            True,
            batch_size=8,
            binarize=mode,
            seed=3,
            data_dir=folder,
            repeat=True,
            start_epoch=start_epoch,
        )

    steps = stream(0).steps_per_epoch
    assert steps == 6
    full = batches(stream(0).train, 5 * steps)
    for epoch in (1, 3):
        assert_same(
            batches(stream(epoch).train, (5 - epoch) * steps),
            full[epoch * steps :],
        )
    # An epoch holds every example once, in an order of its own.
    orders = [
        np.concatenate([y for _, y in full[i * steps : (i + 1) * steps]])
        for i in range(5)
    ]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.sort(orders[0]))
    assert len({tuple(order) for order in orders}) == 5


def test_each_iteration_is_the_next_epoch(folder):
    settings = {"batch_size": 8, "binarize": "dynamic", "data_dir": folder}
    once = load("grey", **settings)
    endless = load("grey", repeat=True, **settings)
    assert endless.train.cardinality() == tf.data.INFINITE_CARDINALITY
    tf.random.set_seed(77)
    first, second = batches(once.train), batches(once.train)
    steps = once.steps_per_epoch
    assert len(first) == steps
    assert_same(first + second, batches(endless.train, 2 * steps))


def test_seeds_and_splits(folder):
    one, two = (
        load("grey", True, 8, "dynamic", seed, folder) for seed in (1, 2)
    )
    x_one, y_one = map(np.concatenate, zip(*batches(one.train)))
    x_two, y_two = map(np.concatenate, zip(*batches(two.train)))
    assert (y_one != y_two).any()
    np.testing.assert_array_equal(np.sort(y_one), np.sort(y_two))
    same_order = x_one[np.argsort(y_one)], x_two[np.argsort(y_two)]
    assert (same_order[0] != same_order[1]).any()


def test_labels_follow_their_images(folder):
    arrays = load_arrays("grey", folder)
    splits = load("grey", with_labels=True, batch_size=7, data_dir=folder)
    images = {
        y: x / np.float32(255)
        for split in ("train", "validation", "test")
        for x, y in zip(
            getattr(arrays, f"x_{split}").astype("float32"),
            getattr(arrays, f"y_{split}"),
        )
    }
    for dataset in (splits.train, splits.validation, splits.test):
        for x, y in batches(dataset):
            assert y.dtype == np.int32
            np.testing.assert_array_equal(x, [images[label] for label in y])


def test_dynamic_binarisation(folder):
    splits = load("grey", True, 45, "dynamic", 3, folder, repeat=True)
    arrays = load_arrays("grey", folder)
    grey = arrays.x_train[np.argsort(arrays.y_train)] / 255
    draws = np.stack([x[np.argsort(y)] for x, y in batches(splits.train, 2000)])
    assert set(np.unique(draws)) == {0, 1}
    deviation = draws.mean(axis=0) - grey
    error = np.sqrt(grey * (1 - grey) / len(draws))
    score = deviation[error > 0] / error[error > 0]
    assert np.abs(score).max() < 5
    assert abs(score.std() - 1) < 0.15


def test_validation_and_test_are_drawn_once(folder):
    arrays = load_arrays("grey", folder)
    drawn = binarize(arrays.x_test / np.float32(255), seed=3)
    for mode in ("static", "dynamic"):
        splits = load("grey", binarize=mode, seed=3, data_dir=folder)
        np.testing.assert_array_equal(whole(splits.test), drawn)
        for dataset in (splits.validation, splits.test):
            assert set(np.unique(whole(dataset))) == {0, 1}
            np.testing.assert_array_equal(whole(dataset), whole(dataset))


def test_static_training_pixels_never_change(folder):
    splits = load("grey", True, 45, "static", data_dir=folder)
    (first,), (second,) = batches(splits.train), batches(splits.train)
    assert (first[1] != second[1]).any()
    assert set(np.unique(first[0])) == {0, 1}
    np.testing.assert_array_equal(
        first[0][np.argsort(first[1])], second[0][np.argsort(second[1])]
    )


@pytest.mark.parametrize("mode", [None, "static", "dynamic"])
def test_binary_images_stay(folder, mode):
    splits = load("binary", binarize=mode, data_dir=folder, batch_size=50)
    arrays = load_arrays("binary", folder)
    np.testing.assert_array_equal(whole(splits.test), arrays.x_test)
    train = whole(splits.train).reshape(45, -1)
    np.testing.assert_array_equal(
        train[np.lexsort(train.T)],
        arrays.x_train.reshape(45, -1)[
            np.lexsort(arrays.x_train.reshape(45, -1).T)
        ],
    )


def test_remainder(folder):
    def shapes(**arguments):
        splits = load("grey", batch_size=8, data_dir=folder, **arguments)
        sizes = [len(x) for x in batches(splits.train)]
        assert splits.steps_per_epoch == len(sizes)
        return splits, sizes

    splits, sizes = shapes()
    assert sizes == 5 * [8] + [5]
    assert splits.train.element_spec.shape == (None, 5, 4, 1)
    splits, sizes = shapes(drop_remainder=True)
    assert sizes == 5 * [8]
    assert splits.train.element_spec.shape == (8, 5, 4, 1)
    # Evaluation never leaves an example out.
    assert sum(len(x) for x in batches(splits.test)) == 20


def test_no_validation(folder):
    splits = load("grey", data_dir=folder, validation_fraction=0)
    assert splits.validation is None
    assert splits.sizes == {"train": 50, "validation": 0, "test": 20}
    load("grey", with_labels=True, data_dir=folder, validation_fraction=0)


def test_fit_resumes(folder):
    def fit(start_epoch, epochs, weights=None):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((5, 4, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(1, use_bias=False),
            ]
        )
        model.compile("sgd", loss=lambda y, p: p)
        if weights:
            model.set_weights(weights)
        splits = load(
            "grey",
            True,
            16,
            "dynamic",
            data_dir=folder,
            repeat=True,
            start_epoch=start_epoch,
        )
        model.fit(
            splits.train,
            steps_per_epoch=splits.steps_per_epoch,
            initial_epoch=start_epoch,
            epochs=epochs,
            shuffle=False,
            verbose=0,
        )
        return model.get_weights()

    assert_same(fit(2, 4, fit(0, 2)), fit(0, 4))


def test_replicas_share_the_batches(folder, mirrored):
    for repeat in (False, True):
        splits, again = (
            load("grey", False, 9, "dynamic", 1, folder, repeat=repeat)
            for _ in range(2)
        )
        shared = mirrored.experimental_distribute_dataset(splits.train)
        iterator = iter(shared)
        for x in batches(again.train, splits.steps_per_epoch):
            parts = mirrored.experimental_local_results(next(iterator))
            assert [len(part) for part in parts] == [5, 4]
            np.testing.assert_array_equal(np.concatenate(parts), x)


def test_op_determinism():
    code = """
import tensorflow as tf
tf.config.experimental.enable_op_determinism()
from keras_vae.datasets import load
once = load("digits", binarize="dynamic")
endless = load("digits", binarize="dynamic", repeat=True, start_epoch=1)
list(once.train)
for a, b in zip(once.train, endless.train):
    tf.debugging.assert_equal(a, b)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"binarize": "always"},
        {"binarize": True},
        {"seed": 0.5},
        {"repeat": True, "start_epoch": -1},
        {"start_epoch": 2},
        {"batch_size": 2000, "drop_remainder": True},
        {"validation_fraction": 1.0},
    ],
)
def test_bad_arguments(arguments):
    name = [key for key in arguments if key not in ("repeat", "drop_remainder")]
    with pytest.raises(ValueError, match=f"`{name[0]}`.*Received: {name[0]}"):
        load("digits", **arguments)


def test_labels_that_are_not_there(folder):
    with pytest.raises(ValueError, match="no labels.*with_labels=True"):
        load("binary", with_labels=True, data_dir=folder)


def test_pipelines_are_not_tuned():
    """The end of an iterator would wait for the tuner: runs took twice."""
    splits = load("digits", binarize="dynamic")
    for batches in (splits.train, splits.validation, splits.test):
        assert batches.options().autotune.enabled is False
