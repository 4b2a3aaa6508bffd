"""Damaged and hostile .keras files: refused by name, no code of theirs run."""

import json
import pathlib
import zipfile

import keras
import numpy as np
import pytest

import keras_vae
from recipes.save_best import load_best
from tests.callbacks.models import tiny_vae
from tests.security.damage import damaged
from tests.security.damage import read_or_refused

NAME = "best.keras"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Bytes of a model, and the model."""
    model = tiny_vae(latent_dim=2, units=4)
    path = tmp_path_factory.mktemp("saved") / NAME
    model.save(path)
    return path.read_bytes(), model


@pytest.fixture
def path(saved, tmp_path):
    path = tmp_path / NAME
    path.write_bytes(saved[0])
    return path


def rewrite(path, change):
    """Changes the config, or takes another."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config = change(config) or config
    members["config.json"] = (
        config if isinstance(config, bytes) else json.dumps(config).encode()
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_damaged_file_is_refused_or_read_right(saved, path):
    content, model = saved
    refused = 0
    for label, copy in damaged(content, flips=40):
        path.write_bytes(copy)
        loaded = read_or_refused(lambda: load_best(path), NAME, label)
        if loaded is None:
            refused += 1
            continue
        for one, other in zip(loaded.weights, model.weights, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy(), label)
    assert refused > 20
    assert [file.name for file in path.parent.iterdir()] == [NAME]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=NAME):
        load_best(tmp_path / NAME)
    (tmp_path / NAME).mkdir()
    with pytest.raises(IsADirectoryError, match=NAME):
        load_best(tmp_path / NAME)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: b"{",
        lambda config: b"\xff",
        lambda config: 10**5 * b"[",
        lambda config: [1],
        lambda config: {"class_name": "VAE"},
        lambda config: config["config"].pop("encoder") and None,
        lambda config: config["config"].update(latent_dim="many"),
        lambda config: config["config"].update(latent_dim=3),
        lambda config: config["config"].update(unknown=3),
        lambda config: config["config"].update(likelihood="os.system"),
        lambda config: config["config"].update(decoder=None),
    ],
)
def test_a_config_that_is_wrong(path, change):
    rewrite(path, change)
    with pytest.raises(ValueError, match=NAME):
        load_best(path)


# === Code ===


def named(module, class_name, registered_name=None, **config):
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": registered_name,
    }


FOREIGN = {
    "function": named("os", "system", command="touch ran"),
    "class": named("subprocess", "Popen", args="touch ran"),
    "function by name": {
        "module": "builtins",
        "class_name": "function",
        "config": "exec",
        "registered_name": "function",
    },
    "of this library": named("keras_vae.serving.c_runtime", "CRuntime"),
    "function of this library": named(
        "keras_vae.datasets", "load_arrays", name="digits"
    ),
    "not registered": named("keras_vae.models", "Nothing", "keras_vae>Nothing"),
    "module of ours": named("ran", "Layer", "keras_vae>Layer"),
    "keras utility": named(
        "keras.utils", "get_file", fname="ran", origin="file:///etc/hostname"
    ),
    "unsafe switch": named("keras.config", "enable_unsafe_deserialization"),
    "lambda": {
        "class_name": "__lambda__",
        "config": {"value": "4wEAAAA=", "defaults": None, "closure": None},
    },
    "lambda layer": named(
        "keras.layers",
        "Lambda",
        function={
            "class_name": "__lambda__",
            "config": {
                "code": "4wEAAAA=",
                "defaults": None,
                "closure": None,
            },
        },
    ),
}


@pytest.mark.parametrize("place", ["all", "encoder", "likelihood", "layer"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_config_that_names_code(path, monkeypatch, foreign, place):
    monkeypatch.chdir(path.parent)
    # A module that tells when it is imported.
    (path.parent / "ran.py").write_text("open('ran', 'w')")
    monkeypatch.syspath_prepend(path.parent)
    value = FOREIGN[foreign]

    def change(config):
        if place == "all":
            return value
        if place == "layer":
            config["config"]["encoder"]["config"]["layers"][1] = value
        else:
            config["config"][place] = value

    rewrite(path, change)
    with pytest.raises(ValueError, match=NAME):
        load_best(path)
    assert {file.name for file in path.parent.iterdir()} <= {
        *(NAME, "ran.py", "__pycache__")
    }


def test_a_lambda_is_not_loaded(tmp_path):
    """Keras's own loading of a model of this library, without a wrapper."""
    ran = tmp_path / "ran"
    target = str(ran)
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Lambda(lambda x: pathlib.Path(target).touch() or x),
            keras.layers.Dense(4),
        ]
    )
    decoder = keras_vae.networks.mlp_decoder(2, (8, 8, 1), (4,))
    model = keras_vae.VAE(encoder, decoder, 2, seed=0)
    model.build((None, 8, 8, 1))
    model.save(tmp_path / NAME)
    assert ran.exists()
    ran.unlink()
    with pytest.raises(ValueError, match=f"[Ll]ambda.*{NAME}"):
        load_best(tmp_path / NAME)
    with pytest.raises(ValueError, match="[Ll]ambda"):
        keras.saving.load_model(tmp_path / NAME)
    # Also from a config alone.
    with pytest.raises(ValueError, match="[Ll]ambda"):
        keras_vae.VAE.from_config(model.get_config())
    assert not ran.exists()


@pytest.mark.parametrize("name", ["../x", "/x", "a/b"])
def test_hostile_names_of_models(name):
    networks = (
        keras_vae.networks.mlp_encoder((4,), (4,)),
        keras_vae.networks.mlp_decoder(2, (4,), (4,)),
    )
    with pytest.raises(ValueError, match="name"):
        keras_vae.VAE(*networks, 2, name=name)
