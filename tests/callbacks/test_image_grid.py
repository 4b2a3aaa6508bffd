"""Pictures of each epoch, in files and in TensorBoard."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

import keras_vae
from keras_vae.callbacks import ImageGrid
from keras_vae.visualization import tile_images
from tests.callbacks.models import tiny_vae


def pixels(path):
    return tf.io.decode_png(pathlib.Path(path).read_bytes()).numpy()


def test_files(digits, tmp_path):
    model = tiny_vae()
    grid = ImageGrid(digits[:4], every=2, num_samples=9, image_dir=tmp_path)
    model.fit(digits[:32], epochs=5, verbose=0, callbacks=[grid])
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "reconstructions-00002.png",
        "reconstructions-00004.png",
        "samples-00002.png",
        "samples-00004.png",
    ]


def test_what_is_shown(digits, tmp_path):
    model = tiny_vae(optimizer="sgd")
    grid = ImageGrid(digits[:3], num_samples=4, image_dir=tmp_path, seed=5)
    model.fit(digits[:32], verbose=0, callbacks=[grid])
    # Three columns of 8 pixels with 2 lines between: 26, enlarged 15 times.
    shown = pixels(tmp_path / "reconstructions-00001.png")
    assert shown.shape == (17 * 15, 26 * 15, 1)
    shown = shown[7::15, 7::15].astype("float32") / 255
    expected = np.concatenate([digits[:3], model.reconstruct(digits[:3])])
    np.testing.assert_allclose(
        shown, tile_images(expected, columns=3), atol=0.51 / 255
    )
    shown = pixels(tmp_path / "samples-00001.png")
    factor = 400 // 17
    assert shown.shape == (17 * factor, 17 * factor, 1)
    np.testing.assert_allclose(
        shown[5::factor, 5::factor] / 255,
        tile_images(model.sample(4, seed=5)),
        atol=0.51 / 255,
    )


def test_the_same_codes_in_each_epoch(digits, tmp_path):
    model = tiny_vae(optimizer=None)
    model.compile("sgd", run_eagerly=True)
    model.optimizer.learning_rate = 0.0
    grid = ImageGrid(digits[:3], num_samples=4, image_dir=tmp_path)
    model.fit(digits[:32], verbose=0, epochs=2, callbacks=[grid])
    files = [tmp_path / f"samples-0000{epoch}.png" for epoch in (1, 2)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_tensorboard(digits, tmp_path):
    grid = ImageGrid(digits[:4], num_samples=4, log_dir=tmp_path)
    tiny_vae().fit(digits[:32], epochs=2, verbose=0, callbacks=[grid])
    events = EventAccumulator(str(tmp_path), {"tensors": 0}).Reload()
    for name in ("reconstructions", "samples"):
        assert [event.step for event in events.Tensors(name)] == [0, 1]


def test_a_model_without_samples(digits, tmp_path):
    encoder = keras_vae.networks.mlp_encoder((8, 8, 1), (4,))
    decoder = keras_vae.networks.mlp_decoder(4, (8, 8, 1), (8,))
    model = keras_vae.Autoencoder(encoder, decoder)
    model.compile("adam", run_eagerly=True)
    grid = ImageGrid(digits[:4], image_dir=tmp_path)
    model.fit(digits[:32], verbose=0, callbacks=[grid])
    assert [p.name for p in tmp_path.iterdir()] == ["reconstructions-00001.png"]


@pytest.mark.parametrize(
    "x", [np.zeros((4, 64)), np.zeros((4, 8, 8, 2)), np.zeros((0, 8, 8, 1))]
)
def test_data_that_are_no_images(x, tmp_path):
    with pytest.raises(ValueError, match="`x` must be images"):
        ImageGrid(x, image_dir=tmp_path)


@pytest.mark.parametrize(
    "kwargs",
    [{}, {"image_dir": ".", "every": 0}, {"image_dir": ".", "num_samples": 0}],
)
def test_bad_arguments(digits, kwargs):
    with pytest.raises(ValueError, match="Received"):
        ImageGrid(digits[:4], **kwargs)
