import json
import shutil

import pytest

from keras_vae.serving.__main__ import main
from keras_vae.serving.models_config import models_config


@pytest.fixture
def model(served_as):
    return served_as("bernoulli").version.parent


def error(capsys, *argv):
    with pytest.raises(SystemExit) as info:
        main([str(argument) for argument in argv])
    assert info.value.code == 2
    return capsys.readouterr().err


def test_inspect(model, capsys):
    main(["inspect", str(model)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(model / "1")
    start = lines.index("sample")
    assert lines[start : start + 6] == [
        "sample",
        "  in       num              int32 []",
        "  in       seed             int32 [2]",
        "  out      samples          float32 [?, 4, 4, 1]",
        "  batching cannot be batched: input `num` is a scalar",
        '  POST     {"signature_name": "sample", "inputs": {"num": 1, '
        '"seed": [0, 0]}}',
    ]
    assert all(len(line) <= 80 for line in lines[1:])


def test_whole_request_alone(model, capsys):
    main(["inspect", str(model), "--request", "encode"])
    request = json.loads(capsys.readouterr().out)
    assert request["signature_name"] == "encode"
    assert request["inputs"] == {"x": [4 * [4 * [[0.0]]]]}


def test_verify_several(model, served_as, capfd):
    main(["verify", str(model), str(served_as("autoencoder").version)])
    out, err = capfd.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == str(model / "1")
    assert len(lines) == 1 + 6 + 1 + 4
    assert "  encode               ok, can be batched by the server" in lines
    assert (
        "  sample               ok, cannot be batched: input `num` is a scalar"
        in lines
    )


def test_verify_names_the_wrong_among_several(model, tmp_path, capsys):
    shutil.copytree(model / "1", tmp_path / "1")
    (tmp_path / "1" / "variables" / "variables.index").unlink()
    with pytest.raises(SystemExit) as info:
        main(["verify", str(tmp_path), str(tmp_path / "no"), str(model)])
    assert info.value.code == 2
    out, err = capsys.readouterr()
    assert out.startswith(f"{model / '1'}\n")
    first, second = err.splitlines()
    assert first.startswith("error: variables/variables.index is missing")
    assert second.startswith("error: ") and str(tmp_path / "no") in second


def test_config(model, capsys):
    main(
        [
            *("config", str(model), "--base-path", "/models"),
            *("--label", f"{model.name}:stable=1"),
            *("--label", f"{model.name}:canary=1"),
        ]
    )
    labels = {model.name: {"stable": 1, "canary": 1}}
    text = capsys.readouterr().out
    assert text == models_config([model], labels, "/models")


def test_errors_are_one_line(model, tmp_path, capsys):
    for argv, message in [
        (["inspect", tmp_path], "error: `path` must hold a saved_model.pb"),
        (["inspect", tmp_path / "no"], "error: [Errno 2]"),
        (["inspect", model, "--request", "x"], "error: --request must be one"),
        (["config", tmp_path / "no"], "error: [Errno 2]"),
        (["config", model, "--label", "stable=1"], "error: --label must be"),
        (["config", model, "--label", "m:stable=x"], "error: --label must be"),
    ]:
        said = error(capsys, *argv)
        assert said.startswith(message)
        assert said.count("\n") == 1


def test_a_label_is_given_once(model, capsys):
    labels = [f"{model.name}:stable={number}" for number in (1, 2)]
    said = error(
        capsys, "config", model, "--label", labels[0], "--label", labels[1]
    )
    assert said.startswith("error: --label must name a label of a model once")
    assert said.endswith(f"{labels[0]} and {labels[1]!r}\n")


def test_folders_are_printed_without_what_terminals_obey(
    model, tmp_path, capsys
):
    (tmp_path / "a\x1b[2J").symlink_to(model)
    main(["inspect", str(tmp_path / "a\x1b[2J")])
    assert capsys.readouterr().out.startswith(f"{tmp_path}/a\\x1b[2J/1\n")
    assert "\\x1b" in error(capsys, "inspect", tmp_path / "no\x1b[2J")


def test_help_names_commands_and_arguments(capsys):
    for argv, words in [
        ([], ["inspect", "verify", "config", "newest version"]),
        (["inspect"], ["DIR", "--request SIGNATURE"]),
        (["verify"], ["DIR", "C runtime", "status is 2"]),
        (["config"], ["--label MODEL:LABEL=VERSION", "--base-path FOLDER"]),
    ]:
        with pytest.raises(SystemExit) as info:
            main([*argv, "--help"])
        assert info.value.code == 0
        said = " ".join(capsys.readouterr().out.split())
        assert all(word in said for word in words)


def test_command_is_needed(capsys):
    assert "COMMAND" in error(capsys)
