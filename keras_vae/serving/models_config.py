"""The list of models that a model server reads."""

import re
from collections.abc import Iterable
from collections.abc import Mapping

from google.protobuf import text_encoding

from keras_vae.arguments import checked_path
from keras_vae.serving.versions import version_folder
from keras_vae.serving.versions import version_numbers
from keras_vae.typing import PathLike


def models_config(
    paths: Iterable[PathLike],
    labels: Mapping[str, Mapping[str, int]] | None = None,
    base_path: str | None = None,
) -> str:
    """Text of a models.config, for `--model_config_file` of the server.

    A model has the name of its folder. The server loads the versions that
    have labels, and clients ask for a label, so that a rollback is a change
    of this file.

    Args:
        paths: folders of models, as `export_model` is given them.
        labels: None, or dict from the name of a model to a dict from label
            to version; default of each model: "stable", its newest version.
        base_path: None, or str: the folder of the models as the server sees
            it, in a container say; default: where they are here.

    Returns:
        The text, a str.

    Raises:
        OSError: if a folder does not exist, is a file, or cannot be read.
        ValueError: if a folder has no such version, a name cannot be part of
            an address, or two models have one name.

    Example:

    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> digits = pathlib.Path(folder.name, "digits")
    >>> (digits / "1").mkdir(parents=True)
    >>> (digits / "2").mkdir()
    >>> labels = {"digits": {"stable": 1, "canary": 2}}
    >>> print(keras_vae.serving.models_config([digits], labels, "/models"))
    model_config_list {
      config {
        name: "digits"
        base_path: "/models/digits"
        model_platform: "tensorflow"
        model_version_policy {
          specific {
            versions: 1
            versions: 2
          }
        }
        version_labels {
          key: "stable"
          value: 1
        }
        version_labels {
          key: "canary"
          value: 2
        }
      }
    }
    <BLANKLINE>
    >>> folder.cleanup()
    """
    folders = {}
    for path in paths:
        folder = checked_path("paths", path).resolve()
        name = _checked(folder.name, "The name of a model, that of its folder,")
        if name in folders:
            raise ValueError(
                "Models must have different names. Received: "
                f"paths={[str(path) for path in paths]}"
            )
        folders[name] = folder
    labels = dict(labels or {})
    unknown = sorted(set(labels) - set(folders))
    if unknown:
        raise ValueError(
            f"`labels` must be of the models {sorted(folders)}. "
            f"Received: labels of {unknown}"
        )
    configs = [
        _config(name, folder, labels.get(name), base_path)
        for name, folder in folders.items()
    ]
    return "model_config_list {\n" + "".join(configs) + "}\n"


def _config(name, folder, labels, base_path):
    numbers = version_numbers(folder)
    if not numbers:
        raise ValueError(
            "The folder of a model must have a version. "
            f"Received: path={str(folder)!r}"
        )
    labels = labels or {"stable": numbers[-1]}
    for label, number in labels.items():
        _checked(label, "A label")
        version_folder(folder, number)
    served = folder if base_path is None else f"{base_path.rstrip('/')}/{name}"
    lines = [
        f'name: "{name}"',
        f'base_path: "{text_encoding.CEscape(str(served), as_utf8=True)}"',
        'model_platform: "tensorflow"',
        "model_version_policy {",
        "  specific {",
        *(f"    versions: {number}" for number in sorted({*labels.values()})),
        "  }",
        "}",
    ]
    for label, number in labels.items():
        lines += [
            "version_labels {",
            f'  key: "{label}"',
            f"  value: {number}",
            "}",
        ]
    body = "".join(f"    {line}\n" for line in lines)
    return f"  config {{\n{body}  }}\n"


def _checked(name, what):
    # It becomes a part of an URL, and stands in quotes.
    if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ValueError(
            f"{what} must be made of letters, digits, '_', '-' and '.'. "
            f"Received: {name!r}"
        )
    return name
