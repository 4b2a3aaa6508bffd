"""Images with known factors of variation."""

import io
import os
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from keras_vae import datasets


@pytest.fixture(scope="module")
def data():
    return datasets.sprites(size=24)


def test_every_combination_is_another_image(data):
    images = data.at(np.arange(data.num_images))
    assert data.num_images == 3 * 3 * 4 * 8 * 8
    assert images.shape == (data.num_images, 24, 24, 1)
    assert images.dtype == np.float32
    assert set(np.unique(images)) == {0.0, 1.0}
    different = np.unique(images.reshape(len(images), -1), axis=0)
    assert len(different) == data.num_images


def test_factors_say_what_is_seen(data):
    rng = np.random.default_rng(0)
    factors = data.sample_factors(2000, rng)
    images = data.images(factors)[..., 0]
    area = images.sum(axis=(1, 2))
    assert area.min() > 0
    names = dict(zip(data.factor_names, factors.T))
    down, right = np.mgrid[:24, :24]
    x, y = ((images * grid).sum(axis=(1, 2)) / area for grid in (right, down))
    assert np.corrcoef(x, names["x"])[0, 1] > 0.98
    assert np.corrcoef(y, names["y"])[0, 1] > 0.98
    means = [area[names["scale"] == n].mean() for n in range(3)]
    assert means == sorted(means) and means[2] > 1.7 * means[0]
    # The largest sprite is not cut off.
    whole = names["scale"] == 2
    for shape in range(3):
        rows = whole & (names["shape"] == shape)
        assert area[rows].std() < 0.12 * area[rows].mean()


def test_index_and_factors_are_inverse(data):
    index = np.arange(data.num_images)
    factors = data.factors_of(index)
    np.testing.assert_array_equal(data.index(factors), index)
    np.testing.assert_array_equal(factors[1] - factors[0], [0, 0, 0, 0, 1])
    drawn = data.sample_factors(20_000, np.random.default_rng(0))
    for column, size in zip(drawn.T, data.factor_sizes):
        share = np.bincount(column, minlength=size) / len(drawn)
        np.testing.assert_allclose(share, 1 / size, atol=0.02)


def test_parts_are_all_images_once(data):
    parts = data.split(validation=0.1, test=0.2, seed=1)
    assert len(parts[1]) == round(0.1 * data.num_images)
    everything = np.sort(np.concatenate(parts))
    np.testing.assert_array_equal(everything, np.arange(data.num_images))


@pytest.mark.parametrize("share", [-0.1, 0.95, 1.5, float("nan")])
def test_parts_leave_images_to_train_on(data, share):
    with pytest.raises(ValueError, match=f"Received: validation={share}, "):
        data.split(validation=share)


@pytest.mark.parametrize("size", [8, 13])
def test_images_in_a_graph(size):
    data = datasets.sprites(size=size, num_positions=3)
    index = np.array([5, 0, 7])
    batches = tf.data.Dataset.from_tensors(index).map(data.as_tensor)
    np.testing.assert_array_equal(next(iter(batches)), data.at(index))


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([[0, 0, 0, 0]], "shape"),
        ([[3, 0, 0, 0, 0]], "below"),
        ([[0, 0, 0, 0, -1]], "negative"),
    ],
)
def test_factors_that_there_are_not(data, factors, message):
    with pytest.raises(ValueError, match="`factors`.*" + message):
        data.images(factors)


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros((5, 2, 2, 1)), (2, 3), ("a", "b")),
        (np.zeros((6, 2, 2, 1)), (2, 3), ("a",)),
        (np.full((6, 2, 2, 1), 0.5), (2, 3), ("a", "b")),
    ],
)
def test_images_that_do_not_fit(arguments):
    with pytest.raises(ValueError, match="must"):
        datasets.FactorImages(*arguments)


def test_sizes_that_are_too_small():
    with pytest.raises(ValueError, match="`size`"):
        datasets.sprites(size=7)


# === dSprites, from a file like the published one ===


def write(folder, images):
    with zipfile.ZipFile(
        folder / "dsprites.npz", "w", zipfile.ZIP_DEFLATED
    ) as archive:
        buffer = io.BytesIO()
        np.save(buffer, images)
        archive.writestr("imgs.npy", buffer.getvalue())


def test_a_file_that_ends_too_early(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header,
        {"descr": "|u1", "fortran_order": False, "shape": (737280, 64, 64)},
    )
    with zipfile.ZipFile(tmp_path / "dsprites.npz", "w") as archive:
        archive.writestr("imgs.npy", header.getvalue() + bytes(100))
    with pytest.raises(ValueError, match="and has 100 bytes"):
        datasets.load_dsprites(tmp_path)


def test_another_file(tmp_path):
    write(tmp_path, np.zeros((7, 64, 64), "uint8"))
    with pytest.raises(ValueError, match="`imgs` must be uint8 of shape"):
        datasets.load_dsprites(tmp_path)
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="not `imgs`"):
        datasets.load_dsprites(tmp_path, "other.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match="must be an .npz archive"):
        datasets.load_dsprites(tmp_path, "text.npz")
    with pytest.raises(OSError):
        datasets.load_dsprites(tmp_path, "none.npz")


def test_no_folder(monkeypatch):
    monkeypatch.delenv("KERAS_VAE_DATA", raising=False)
    with pytest.raises(ValueError, match="`data_dir`"):
        datasets.load_dsprites()


@pytest.mark.slow
def test_the_published_order(data_folder):
    path = os.path.join(data_folder or "", "dsprites.npz")
    if not data_folder or not os.path.exists(path):
        pytest.skip("no file of dSprites")
    data = datasets.load_dsprites(data_folder)
    with np.load(path) as file:
        classes = file["latents_classes"][:, 1:]
    index = np.random.default_rng(0).integers(0, data.num_images, 2000)
    np.testing.assert_array_equal(data.factors_of(index), classes[index])
    images = data.at(index)[..., 0]
    column = (images * np.arange(64)).sum(axis=(1, 2)) / images.sum(axis=(1, 2))
    assert np.corrcoef(column, classes[index, 3])[0, 1] > 0.98
