"""TensorBoard's own reader finds what was written."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins import projector

import keras_vae
from keras_vae.callbacks import EmbeddingProjector
from tests.callbacks.models import tiny_vae


def config_of(folder):
    text = (folder / "projector_config.pbtxt").read_text()
    return text_format.Parse(text, projector.ProjectorConfig()).embeddings[0]


def test_images_with_labels(digits, tmp_path):
    model = tiny_vae()
    x, labels = digits[:10], np.array(list("abcdefghij"))
    callback = EmbeddingProjector(x, labels, log_dir=tmp_path, batch_size=3)
    model.fit(digits[:32], verbose=0, callbacks=[callback])
    embedding = config_of(tmp_path)
    codes = np.loadtxt(tmp_path / embedding.tensor_path, "float32")
    # Batches of another size: sums in another order.
    np.testing.assert_allclose(codes, model.encode(x), atol=1e-6)
    metadata = (tmp_path / embedding.metadata_path).read_text()
    assert metadata.splitlines() == list(labels)
    assert list(embedding.sprite.single_image_dim) == [8, 8]
    sprite = tf.io.decode_png(
        (tmp_path / embedding.sprite.image_path).read_bytes()
    )
    # Four columns; the sixth image is in row 1, column 1.
    assert sprite.shape == (24, 32, 1)
    np.testing.assert_array_equal(sprite[8:16, 8:16], np.round(255 * digits[5]))


def test_tensorboard_reads_it(digits, tmp_path):
    from tensorboard.plugins.projector import projector_plugin

    callback = EmbeddingProjector(digits[:6], log_dir=tmp_path)
    tiny_vae().fit(digits[:32], verbose=0, callbacks=[callback])
    embedding = config_of(tmp_path)
    assert not embedding.metadata_path
    read = projector_plugin._read_tensor_tsv_file(
        str(tmp_path / embedding.tensor_path)
    )
    assert read.shape == (6, 3)


def test_vectors_have_no_sprite(tmp_path):
    encoder = keras_vae.networks.mlp_encoder((6,), (4,))
    decoder = keras_vae.networks.mlp_decoder(4, (6,), (8,))
    model = keras_vae.Autoencoder(encoder, decoder)
    model.compile("adam", run_eagerly=True)
    x = np.ones((8, 6), "float32")
    callback = EmbeddingProjector(x, range(8), log_dir=tmp_path)
    model.fit(x, verbose=0, callbacks=[callback])
    assert not config_of(tmp_path).HasField("sprite")
    assert not (tmp_path / "sprite.png").exists()


def test_labels_must_fit(digits, tmp_path):
    with pytest.raises(ValueError, match=r"shape \(10,\)"):
        EmbeddingProjector(digits[:10], np.zeros(9), log_dir=tmp_path)


def test_the_sprite_has_a_limit(tmp_path):
    x = np.broadcast_to(np.float32(0), (101, 800, 800, 3))
    with pytest.raises(ValueError, match="give fewer images"):
        EmbeddingProjector(x, log_dir=tmp_path)
