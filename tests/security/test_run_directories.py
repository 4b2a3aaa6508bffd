"""Damaged and hostile files of a run, and names of its folders."""

import json
import types

import numpy as np
import pytest

from keras_vae import datasets
from recipes import codes
from recipes import process
from recipes.run_directory import RunDirectory
from recipes.settings import Config
from tests.security.damage import damaged
from tests.security.damage import read_or_refused

CONFIG = {"epochs": 3, "out": None, "resume": False, "units": (2, 3)}


def claim(path, resume=True):
    with RunDirectory(path) as directory:
        directory.claim("one", CONFIG, resume)
    return True


def test_damaged_settings(tmp_path):
    claim(tmp_path, resume=False)
    file = tmp_path / "config.json"
    content = file.read_bytes()
    for label, copy in damaged(content, flips=100):
        file.write_bytes(copy)
        accepted = read_or_refused(
            lambda: claim(tmp_path), str(tmp_path), label
        )
        if accepted is None:
            assert file.read_bytes() == copy, label
        else:
            assert file.read_bytes() == content, label
    assert {p.name for p in tmp_path.iterdir()} == {".lock", "config.json"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[1]",
        "{}",
        '{"recipe": 3, "config": {}}',
        '{"recipe": "one"}',
        '{"recipe": "one", "config": [1]}',
        10**5 * "[",
        '{"recipe": "one", "config": {"epochs": ' + 5000 * "9" + "}}",
    ],
)
def test_settings_of_another_form(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match="config.json"):
        claim(tmp_path)
    assert (tmp_path / "config.json").read_text() == text


# === Names ===


@pytest.mark.parametrize("name", ["out", "saved_models"])
@pytest.mark.parametrize("path", ["", "a\0b"])
def test_folders_that_cannot_be(name, path):
    with pytest.raises(ValueError, match=f"`{name}`.*Received: {name}="):
        process.check(Config(**{name: path}))


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(OSError, match="cannot be written.*xxx"):
        claim(tmp_path / ("x" * 300))
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leads_nowhere(tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "gone")
    with pytest.raises(OSError, match="cannot be written.*run"):
        claim(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


# === Codes ===

SHAPES = [(4, 4), (2, 2)]
SIZE = 8


def two_levels():
    """What `codes.extract` needs of a trained model, and images."""
    model = types.SimpleNamespace(
        quantizers=2 * [types.SimpleNamespace(num_embeddings=SIZE)],
        code_shapes=lambda: SHAPES,
        get_weights=list,
        encode_indices=lambda x: [
            np.full((len(x), *shape), 3, "int32") for shape in SHAPES
        ],
    )
    x = np.zeros((5, 8, 8, 1), "float32")
    return model, datasets.Arrays(x, None, x[:2], None, x[:3], None)


@pytest.fixture
def extract(tmp_path):
    run = types.SimpleNamespace(
        path=tmp_path, chief=True, wait_for_chief=lambda: None
    )
    model, arrays = two_levels()
    return lambda: codes.extract(run, model, arrays)


def test_damaged_codes(tmp_path, extract):
    expected = extract()
    path = tmp_path / "codes.npz"
    for label, copy in damaged(path.read_bytes(), flips=150):
        path.write_bytes(copy)
        found = read_or_refused(extract, "codes.npz", label)
        for split in found or ():
            for one, other in zip(found[split], expected[split], strict=True):
                np.testing.assert_array_equal(one, other, label)
    assert [p.name for p in tmp_path.iterdir()] == ["codes.npz"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("x_train_1", None),
        ("x_train_1", np.zeros((5, 4, 4), "int64")),
        ("x_train_1", np.zeros((4, 4, 4), "int32")),
        ("x_validation_2", np.zeros((2, 2), "int32")),
        ("x_test_2", np.full((3, 2, 2), SIZE, "int32")),
        ("x_test_2", np.full((3, 2, 2), -1, "int32")),
        ("x_test_1", np.array(["a"])),
    ],
)
def test_codes_of_another_model(tmp_path, extract, key, value):
    extract()
    path = tmp_path / "codes.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    del arrays[key]
    np.savez(path, **arrays, **({} if value is None else {key: value}))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"{key} must be.*codes.npz"):
        extract()
    assert path.read_bytes() == before


def test_what_is_written_is_json(tmp_path):
    claim(tmp_path, resume=False)
    assert json.loads((tmp_path / "config.json").read_text())["recipe"] == "one"
