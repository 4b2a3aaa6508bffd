import sys
import types

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_vae.datasets import Arrays
from keras_vae.datasets import load_arrays


def grey(count, shape=(4, 3), seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, size=(count, *shape), dtype="uint8")


def labels(count):
    return np.arange(count, dtype="uint8") % 10


@pytest.fixture
def folder(tmp_path):
    np.savez_compressed(
        tmp_path / "small.npz",
        x_train=grey(50),
        y_train=labels(50),
        x_test=grey(20, seed=1),
        y_test=labels(20),
        names=np.array(["not", "read"]),
    )
    np.savez(
        tmp_path / "split.npz",
        x_train=grey(30) // 128,
        x_valid=grey(10, seed=1) // 128,
        x_test=grey(20, seed=2) // 128,
    )
    np.savez(tmp_path / "faces.npz", x=grey(100))
    return tmp_path


def rows(*arrays):
    return sorted(row.tobytes() for x in arrays for row in x)


def test_digits_are_split_evenly_and_completely():
    arrays = load_arrays("digits")
    original = load_digits()
    assert arrays.x_train.dtype == np.float32
    assert arrays.x_train.shape == (1257, 8, 8, 1)
    assert arrays.x_validation.shape == (180, 8, 8, 1)
    assert arrays.x_test.shape == (360, 8, 8, 1)
    splits = (arrays.x_train, arrays.x_validation, arrays.x_test)
    scaled = (original.images[..., None] / 16).astype("float32")
    assert rows(*splits) == rows(scaled)
    everywhere = np.bincount(original.target) / 1797
    for y in (arrays.y_train, arrays.y_validation, arrays.y_test):
        assert np.abs(np.bincount(y) - everywhere * len(y)).max() < 1.5
    by_image = {x.tobytes(): y for x, y in zip(scaled, original.target)}
    for x, y in zip(arrays.x_test, arrays.y_test):
        assert by_image[x.tobytes()] == y


def test_digits_split_never_moves():
    arrays = load_arrays("digits")
    original = (load_digits().images[..., None] / 16).astype("float32")
    position = {x.tobytes(): i for i, x in enumerate(original)}
    first = [position[x.tobytes()] for x in arrays.x_test[:8]]
    assert first == [9, 12, 15, 27, 34, 39, 52, 59]


def test_file(folder):
    arrays = load_arrays("small", data_dir=folder)
    assert arrays.x_train.shape == (45, 4, 3, 1)
    assert arrays.x_train.dtype == np.uint8
    assert arrays.pixel_max == 255
    assert arrays.y_train.dtype == np.int32
    assert rows(arrays.x_train, arrays.x_validation) == rows(
        grey(50)[..., None]
    )
    np.testing.assert_array_equal(arrays.x_test[..., 0], grey(20, seed=1))
    np.testing.assert_array_equal(arrays.y_test, labels(20))
    label = {x.tobytes(): y for x, y in zip(grey(50), labels(50))}
    for x, y in zip(arrays.x_validation, arrays.y_validation):
        assert label[x.tobytes()] == y


def test_own_validation_split(folder):
    arrays = load_arrays("split", data_dir=str(folder))
    assert arrays.pixel_max == 1
    assert arrays.y_validation is None
    np.testing.assert_array_equal(
        arrays.x_validation[..., 0], grey(10, seed=1) // 128
    )
    divided = load_arrays("split", folder, validation_fraction=0.25)
    assert (len(divided.x_train), len(divided.x_validation)) == (30, 10)
    assert rows(divided.x_train, divided.x_validation) == rows(
        arrays.x_train, arrays.x_validation
    )
    joined = load_arrays("split", folder, validation_fraction=0)
    assert len(joined.x_validation) == 0
    np.testing.assert_array_equal(
        joined.x_train, np.concatenate([arrays.x_train, arrays.x_validation])
    )


def test_lone_array(folder):
    arrays = load_arrays("faces", data_dir=folder)
    sizes = len(arrays.x_train), len(arrays.x_validation), len(arrays.x_test)
    assert sizes == (81, 9, 10)
    splits = (arrays.x_train, arrays.x_validation, arrays.x_test)
    assert rows(*splits) == rows(grey(100))
    again = load_arrays("faces", data_dir=folder)
    np.testing.assert_array_equal(again.x_test, arrays.x_test)


def test_floats_bools_and_black_images(tmp_path):
    x = np.random.default_rng(0).uniform(size=(12, 2, 2, 3))
    np.savez(tmp_path / "floats.npz", x_train=x, x_test=x)
    arrays = load_arrays("floats", tmp_path)
    assert arrays.x_test.dtype == np.float32 and arrays.pixel_max == 1
    np.testing.assert_array_equal(arrays.x_test, x.astype("float32"))
    np.savez(tmp_path / "bools.npz", x_train=x > 0.5, x_test=x > 0.5)
    arrays = load_arrays("bools", tmp_path)
    assert arrays.x_test.dtype == np.uint8 and arrays.pixel_max == 1
    black = np.zeros((12, 2, 2), "uint8")
    np.savez(tmp_path / "black.npz", x_train=black, x_test=black)
    assert load_arrays("black", tmp_path).pixel_max == 1


@pytest.mark.parametrize("name", ["small", "split"])
def test_as_float32_is_what_pipelines_yield(folder, name):
    arrays = load_arrays(name, data_dir=folder)
    scaled = arrays.as_float32()
    assert scaled.pixel_max == 1
    np.testing.assert_array_equal(scaled.y_train, arrays.y_train)
    for split in ("x_train", "x_validation", "x_test"):
        x = getattr(scaled, split)
        assert x.dtype == np.float32
        np.testing.assert_allclose(
            x, getattr(arrays, split) / arrays.pixel_max, rtol=1e-6
        )


def test_environment_and_precedence(folder, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("KERAS_VAE_DATA", str(folder))
    assert load_arrays("small").x_train.shape == (45, 4, 3, 1)
    assert load_arrays("digits").x_train.shape == (1257, 8, 8, 1)
    other = tmp_path_factory.mktemp("other")
    np.savez(other / "small.npz", x=grey(100, (2, 2)))
    assert load_arrays("small", other).x_train.shape == (81, 2, 2, 1)
    assert load_arrays("small.npz", other).x_train.shape == (81, 2, 2, 1)
    monkeypatch.setenv("KERAS_VAE_DATA", str(folder / "small.npz"))
    with pytest.raises(NotADirectoryError, match="KERAS_VAE_DATA=.*small.npz"):
        load_arrays("digits")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_downloaded(name, monkeypatch, tmp_path):
    shape = (4, 4, 3) if name == "cifar10" else (4, 4)
    y = labels(20)[:, None] if name == "cifar10" else labels(20)
    monkeypatch.setattr(
        getattr(keras.datasets, name),
        "load_data",
        lambda: ((grey(20, shape), y), (grey(20, shape, seed=1), y)),
    )
    arrays = load_arrays(name)
    assert arrays.x_train.shape == (18, 4, 4, 3 if name == "cifar10" else 1)
    np.testing.assert_array_equal(arrays.y_test, labels(20))
    # A folder that was asked for is not replaced by a download.
    with pytest.raises(FileNotFoundError, match=f"{name}.npz does not exist"):
        load_arrays(name, data_dir=tmp_path)
    monkeypatch.setenv("KERAS_VAE_DATA", str(tmp_path))
    assert load_arrays(name).x_test.shape == arrays.x_test.shape


def test_no_network(monkeypatch):
    def fail():
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    with pytest.raises(OSError, match="mnist.*URL fetch failure.*data_dir"):
        load_arrays("mnist")


def fake_tfds(splits):
    calls = []

    def load(name, **arguments):
        calls.append((name, arguments))
        return splits

    return types.SimpleNamespace(load=load, as_numpy=lambda x: x, calls=calls)


def test_tensorflow_datasets(monkeypatch, tmp_path):
    tfds = fake_tfds(
        {
            "train": {"image": grey(20), "label": labels(20), "id": None},
            "validation": {"image": grey(5, seed=2), "label": labels(5)},
            "test": {"image": grey(10, seed=1), "label": labels(10)},
            "extra": {"image": grey(3), "label": labels(3)},
        }
    )
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", tfds)
    arrays = load_arrays("tfds/some/config", data_dir=tmp_path)
    assert tfds.calls == [
        ("some/config", {"data_dir": tmp_path, "batch_size": -1})
    ]
    sizes = len(arrays.x_train), len(arrays.x_validation), len(arrays.x_test)
    assert sizes == (20, 5, 10)
    np.testing.assert_array_equal(arrays.y_validation, labels(5))
    tfds = fake_tfds({"train": {"image": grey(100)}})
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", tfds)
    arrays = load_arrays("tfds/some")
    assert len(arrays.x_test) == 10 and arrays.y_test is None
    tfds = fake_tfds({"train": {"text": labels(3)}})
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", tfds)
    with pytest.raises(ValueError, match="tfds/some must hold images"):
        load_arrays("tfds/some")


def test_tensorflow_datasets_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match="keras_vae\\[datasets\\]"):
        load_arrays("tfds/svhn_cropped")


def test_unknown_names(folder):
    with pytest.raises(ValueError, match="digits, mnist.*name='nmist'"):
        load_arrays("nmist")
    with pytest.raises(FileNotFoundError, match="faces.npz, small.npz.*digits"):
        load_arrays("nmist", data_dir=folder)
    with pytest.raises(NotADirectoryError, match="data_dir=.*nowhere"):
        load_arrays("small", data_dir=folder / "nowhere")
    with pytest.raises(NotADirectoryError, match="data_dir=.*small.npz"):
        load_arrays("small", data_dir=folder / "small.npz")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../small",
        "/etc/passwd",
        "a/b",
        "a\\b",
        ".hidden",
        "small\n",
        "small\0",
        "tfds/",
        "tfds/../x",
        "tfds/huggingface:x",
        "C:small",
        None,
        3,
    ],
)
def test_hostile_names(folder, name):
    with pytest.raises(ValueError, match="plain name"):
        load_arrays(name, data_dir=folder)


good = {"x_train": grey(20), "x_test": grey(10)}
floats = np.random.default_rng(0).uniform(size=(20, 4, 3))
damage = {
    "wrong keys": {"images": grey(20)},
    "no test": {"x_train": grey(20)},
    "objects": good | {"x_train": np.array([grey(2), None], dtype=object)},
    "nan": {"x_train": floats, "x_test": np.full((2, 4, 3), np.nan)},
    "above 1": {"x_train": 2 * floats, "x_test": floats},
    "negative": {"x_train": -floats, "x_test": floats},
    "rank 1": good | {"x_test": np.zeros(10, "uint8")},
    "rank 2": good | {"x_test": grey(10, (12,))},
    "rank 5": good | {"x_test": grey(10, (4, 3, 1, 1))},
    "empty": good | {"x_train": grey(0)},
    "no pixels": good | {"x_test": grey(10, (0, 3))},
    "integers": good | {"x_train": grey(20).astype("int64")},
    "text": good | {"x_train": grey(20).astype(str)},
    "other size": good | {"x_test": grey(10, (4, 4))},
    "other type": good | {"x_test": floats},
    "grey test": {"x_train": grey(20) // 128, "x_test": grey(10)},
    "too few": good | {"x_train": grey(1)},
    "labels short": good | {"y_train": labels(19)},
    "labels wide": good | {"y_train": grey(20, (10,))},
    "labels real": good | {"y_train": floats[:, 0, 0]},
}


@pytest.mark.parametrize("kind", damage)
def test_damaged_arrays(tmp_path, kind):
    np.savez(tmp_path / "bad.npz", **damage[kind])
    with pytest.raises(ValueError, match="bad.npz.*"):
        load_arrays("bad", data_dir=tmp_path)


def truncated(path, content):
    path.write_bytes(content[: len(content) // 2])


def flipped(path, content):
    middle = len(content) // 4
    path.write_bytes(content[:middle] + b"?" * 20 + content[middle + 20 :])


def empty(path, content):
    path.write_bytes(b"")


def text(path, content):
    path.write_text("x_train,x_test\n1,2\n")


def lone_npy(path, content):
    with path.open("wb") as file:
        np.save(file, grey(20))


def not_npy_inside(path, content):
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train", b"raw")
        archive.writestr("x_test", b"raw")


@pytest.mark.parametrize(
    "spoil", [truncated, flipped, empty, text, lone_npy, not_npy_inside]
)
def test_damaged_files(tmp_path, spoil):
    path = tmp_path / "bad.npz"
    np.savez_compressed(path, **good)
    spoil(path, path.read_bytes())
    with pytest.raises(ValueError, match="bad.npz"):
        load_arrays("bad", data_dir=tmp_path)


def test_folder_named_like_a_file(tmp_path):
    (tmp_path / "bad.npz").mkdir()
    with pytest.raises(IsADirectoryError, match="bad.npz"):
        load_arrays("bad", data_dir=tmp_path)


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, float("nan")])
def test_validation_fraction(fraction):
    with pytest.raises(ValueError, match="validation_fraction"):
        load_arrays("digits", validation_fraction=fraction)


def test_as_float32_of_codes_and_dicts():
    codes, x = np.arange(6, dtype="int32").reshape(3, 2), np.ones((3, 2))
    both = {"indices": codes, "x": x}
    scaled = Arrays(both, None, both, None, codes, None).as_float32()
    assert scaled.x_test is codes
    assert scaled.x_train["indices"] is codes
    assert scaled.x_train["x"].dtype == np.float32
