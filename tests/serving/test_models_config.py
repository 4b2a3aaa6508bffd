import os

import pytest

from keras_vae.serving import models_config


@pytest.fixture
def models(tmp_path):
    for name in ("digits/1", "digits/2", "faces/007"):
        (tmp_path / name).mkdir(parents=True)
    return [tmp_path / "digits", tmp_path / "faces"]


def test_newest_versions_are_stable(models):
    text = models_config(models)
    assert text == (
        "model_config_list {\n"
        + "".join(
            f"""  config {{
    name: "{model.name}"
    base_path: "{model}"
    model_platform: "tensorflow"
    model_version_policy {{
      specific {{
        versions: {version}
      }}
    }}
    version_labels {{
      key: "stable"
      value: {version}
    }}
  }}
"""
            for model, version in zip(models, (2, 7), strict=True)
        )
        + "}\n"
    )


def test_server_reads_it(models):
    config = pytest.importorskip(
        "tensorflow_serving.config.model_server_config_pb2"
    )
    from google.protobuf import text_format

    hostile = 'a "quoted"\n\\ füñ folder'
    labels = {"digits": {"stable": 1, "canary": 2, "old": 1}}
    parsed = text_format.Parse(
        models_config(models, labels, hostile), config.ModelServerConfig()
    )
    digits, faces = parsed.model_config_list.config
    assert (digits.name, faces.name) == ("digits", "faces")
    assert digits.base_path == f"{hostile}/digits"
    assert digits.model_platform == "tensorflow"
    assert digits.model_version_policy.specific.versions == [1, 2]
    assert dict(digits.version_labels) == labels["digits"]
    assert dict(faces.version_labels) == {"stable": 7}


def test_paths_are_escaped(models):
    text = models_config(models[:1], base_path='a "b"\n\\é/')
    assert r'base_path: "a \"b\"\n\\é/digits"' in text


def test_relative_paths_are_not_the_servers(models, monkeypatch):
    monkeypatch.chdir(models[0].parent)
    assert models_config(["digits", "./faces/"]) == models_config(models)


@pytest.mark.parametrize(
    "name",
    ['a"b', "a b", "a\nb", "a:b", "é", ".hidden", "-flag", "a{", "a'b", "a\\b"],
)
def test_names_that_no_address_can_have(tmp_path, name):
    (tmp_path / name / "1").mkdir(parents=True)
    with pytest.raises(ValueError, match="name of a model.*Received: "):
        models_config([tmp_path / name])
    os.rename(tmp_path / name, tmp_path / "model")
    with pytest.raises(ValueError, match="A label must.*Received: "):
        models_config([tmp_path / "model"], {"model": {name: 1}})


def test_wrong_arguments(models, tmp_path):
    with pytest.raises(ValueError, match="Version 3 must be a folder"):
        models_config(models, {"digits": {"stable": 3}})
    with pytest.raises(ValueError, match="labels of .'other'"):
        models_config(models, {"other": {"stable": 1}})
    with pytest.raises(ValueError, match="different names.*Received: paths="):
        models_config([*models, tmp_path / "copy" / ".." / "digits"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="must have a version.*empty"):
        models_config([tmp_path / "empty"])
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file"):
        models_config([tmp_path / "file"])
    with pytest.raises(FileNotFoundError, match="missing"):
        models_config([tmp_path / "missing"])
