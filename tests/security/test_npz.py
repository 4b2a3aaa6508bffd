"""Damaged and hostile .npz files: an error with their name, or the data."""

import io
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from keras_vae import datasets
from keras_vae.npz import read_npz
from tests.security.damage import damaged
from tests.security.damage import read_or_refused


def images(count=20):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, size=(count, 4, 3), dtype="uint8")


def npy(array, **kwargs):
    stream = io.BytesIO()
    np.save(stream, array, **kwargs)
    return stream.getvalue()


def header(shape, descr="|u1"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


def archive(path, compression=zipfile.ZIP_STORED, **members):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


class Payload:
    """What unpickles it writes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_is_refused_or_read_right(tmp_path, save):
    path = tmp_path / "bad.npz"
    save(path, x_train=images(), x_test=images())
    content = path.read_bytes()
    refused = 0
    for label, copy in damaged(content, flips=300):
        path.write_bytes(copy)
        arrays = read_or_refused(
            lambda: datasets.load_arrays("bad", tmp_path), "bad.npz", label
        )
        if arrays is None:
            refused += 1
        else:
            seen = np.concatenate([arrays.x_train, arrays.x_validation])
            assert sorted(x.tobytes() for x in seen) == sorted(
                x.tobytes() for x in images()
            ), label
    assert refused > 150
    assert [p.name for p in tmp_path.iterdir()] == ["bad.npz"]


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test"])
def test_no_object_is_unpickled(tmp_path, key):
    ran = tmp_path / "ran"
    objects = np.array([Payload(ran)], dtype=object)
    members = {"x_train": npy(images()), "x_test": npy(images())}
    members[key] = npy(objects, allow_pickle=True)
    archive(tmp_path / "bad.npz", **members)
    with pytest.raises(ValueError, match="Python objects.*bad.npz"):
        datasets.load_arrays("bad", tmp_path)
    # Also in a structure, and where a raw pickle stands for an array.
    mixed = np.zeros(1, [("a", "u1"), ("b", "O")])
    mixed["b"][0] = Payload(ran)
    archive(tmp_path / "mixed.npz", x=npy(mixed, allow_pickle=True))
    with pytest.raises(ValueError, match="Python objects.*mixed.npz"):
        datasets.load_arrays("mixed", tmp_path)
    raw = npy(objects, allow_pickle=True)[128:]
    archive(tmp_path / "raw.npz", x=raw)
    with pytest.raises(ValueError, match="raw.npz"):
        datasets.load_arrays("raw", tmp_path)
    assert not ran.exists()


def claims():
    some = bytes(100)
    yield "huge", header((10**13,)) + some
    yield "many axes", header((10**6, 10**6, 10**6)) + some
    yield "beyond 64 bits", header((2**40, 2**40)) + some
    yield "negative", header((-1, 100)) + some
    yield "both negative", header((-10, -10)) + some
    yield "short", header((99,)) + some
    yield "long", header((101,)) + some
    yield "wide text", header((1,), "<U999999999") + some
    yield "later format", b"\x93NUMPY\x09\x00" + header((100,))[8:] + some
    yield "no header", b"\x93NUMPY\x01\x00\xff\xff" + some
    yield "code", b"\x93NUMPY\x01\x00\x40\x00" + b"__import__('os')" * 4


@pytest.mark.parametrize("claim", [*claims()], ids=lambda claim: claim[0])
@pytest.mark.parametrize("way", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_header_that_claims_too_much_costs_nothing(tmp_path, way, claim):
    path = archive(tmp_path / "bad.npz", way, x=claim[1])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="bad.npz"):
            datasets.load_arrays("bad", tmp_path)
        with pytest.raises(ValueError, match="bad.npz"):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_a_directory_that_claims_too_much_costs_nothing(tmp_path):
    """Header and archive agree on a size that the file cannot fill."""
    size = 2**31
    start = header((size,))
    path = archive(
        tmp_path / "bad.npz", zipfile.ZIP_DEFLATED, x=start + bytes(1000)
    )
    true, claimed = len(start) + 1000, len(start) + size
    content = path.read_bytes().replace(
        true.to_bytes(4, "little"), claimed.to_bytes(4, "little")
    )
    path.write_bytes(content)
    with zipfile.ZipFile(path) as file:
        assert file.getinfo("x.npy").file_size == claimed
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="are stored.*bad.npz"):
            datasets.load_arrays("bad", tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_the_compression_of_numpy(tmp_path, way):
    archive(tmp_path / "bad.npz", way, x=npy(images()))
    with pytest.raises(ValueError, match="are stored.*bad.npz"):
        datasets.load_arrays("bad", tmp_path)


def test_what_numpy_writes_is_read(tmp_path):
    arrays = {
        "scalar": np.float64(3.0),
        "empty": np.zeros((0, 5), "int8"),
        "text": np.array(["a", "bc"]),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "wide": np.zeros(1, [(f"field {i}" * 9, "u1") for i in range(500)]),
        "zeros": np.zeros(10**6),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "good.npz", **arrays)
        found = read_npz(tmp_path / "good.npz", ("scalar", *list(arrays)[:4]))
        assert list(found) == list(arrays)[:4]
        for key, value in found.items():
            np.testing.assert_array_equal(value, arrays[key])
    assert read_npz(tmp_path / "good.npz", ["zeros"])["zeros"].nbytes == 8e6


# === dSprites ===


def test_damaged_dsprites(tmp_path):
    path = archive(tmp_path / "dsprites.npz", imgs=npy(images()))
    for label, copy in damaged(path.read_bytes(), flips=100):
        path.write_bytes(copy)
        assert (
            read_or_refused(
                lambda: datasets.load_dsprites(tmp_path), path.name, label
            )
            is None
        )


def test_dsprites_that_are_not_binary(tmp_path, monkeypatch):
    module = sys.modules[datasets.load_dsprites.__module__]
    monkeypatch.setattr(module, "_DSPRITES", (1, 1, 1, 2, 2))
    good = np.zeros((4, 64, 64), "uint8")
    archive(tmp_path / "dsprites.npz", imgs=npy(good))
    assert datasets.load_dsprites(tmp_path).num_images == 4
    good[3, 5] = 2
    archive(tmp_path / "dsprites.npz", imgs=npy(good))
    with pytest.raises(ValueError, match="of 0 and 1.*dsprites.npz"):
        datasets.load_dsprites(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../dsprites.npz",
        "/etc/passwd",
        "a/b.npz",
        "x\0",
        ".x",
        5,
        "x" * 300,
    ],
)
def test_hostile_names_of_dsprites(tmp_path, name):
    with pytest.raises(ValueError, match="`name` must be a plain name"):
        datasets.load_dsprites(tmp_path, name)
