"""codes.npz is that of the model of now, or is written again."""

import types

import numpy as np
import pytest

from keras_vae import datasets
from recipes import codes


@pytest.fixture
def model():
    """What `codes.extract` needs of a trained model: its codes are `code`."""
    model = types.SimpleNamespace(
        code=3,
        quantizers=[types.SimpleNamespace(num_embeddings=8)],
        code_shapes=lambda: [(2,)],
        get_weights=lambda: [np.float32([model.code])],
        encode_indices=lambda x: np.full((len(x), 2), model.code, "int32"),
    )
    return model


@pytest.fixture
def run(tmp_path):
    return types.SimpleNamespace(
        path=tmp_path, chief=True, wait_for_chief=lambda: None
    )


def extract(run, model):
    x = np.zeros((5, 2, 2, 1), "float32")
    arrays = datasets.Arrays(x, None, x[:2], None, x[:3], None)
    found = codes.extract(run, model, arrays, ["prior"])
    (values,) = {int(v) for levels in found.values() for v in levels[0].flat}
    return values


def test_codes_are_kept_and_so_is_their_prior(run, model):
    assert extract(run, model) == 3
    before = (run.path / "codes.npz").stat().st_mtime_ns
    (run.path / "prior").mkdir()
    assert extract(run, model) == 3
    assert (run.path / "codes.npz").stat().st_mtime_ns == before


def test_another_autoencoder_has_other_codes(run, model):
    extract(run, model)
    model.code = 4
    assert extract(run, model) == 4


def test_a_prior_of_other_codes_is_not_kept(run, model):
    extract(run, model)
    before = (run.path / "codes.npz").read_bytes()
    (run.path / "prior").mkdir()
    model.code = 4
    with pytest.raises(ValueError, match="remove its folder.*Received.*prior"):
        extract(run, model)
    assert (run.path / "codes.npz").read_bytes() == before
    (run.path / "codes.npz").unlink()
    with pytest.raises(ValueError, match="Received.*prior"):
        extract(run, model)
    (run.path / "prior").rmdir()
    assert extract(run, model) == 4


def test_codes_of_before_the_fingerprint_are_not_trusted(run, model):
    extract(run, model)
    path = run.path / "codes.npz"
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored if key.startswith("x_")}
    np.savez(path, **arrays)
    model.code = 4
    assert extract(run, model) == 4


def test_the_chief_alone_writes(run, model):
    other = types.SimpleNamespace(
        path=run.path, chief=False, wait_for_chief=lambda: extract(run, model)
    )
    encode, model.encode_indices = model.encode_indices, None
    with pytest.raises(TypeError):
        extract(other, model)
    model.encode_indices = encode
    assert extract(other, model) == 3
