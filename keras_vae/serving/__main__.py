"""Exported models: what they take, whether they work, how to serve several.

    python -m keras_vae.serving inspect saved_models/digits
    python -m keras_vae.serving verify saved_models/digits
    python -m keras_vae.serving config saved_models/*/ > models.config

A folder is that of a version (saved_models/digits/2) or of a model: then its
newest version is meant.
"""

import argparse
import sys
from collections.abc import Sequence

from keras_vae.serving.inspect_version import read_signatures
from keras_vae.serving.models_config import models_config
from keras_vae.serving.signature import describe
from keras_vae.serving.verify import verify
from keras_vae.serving.versions import find_version

_WIDTH = 80


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command.

    Args:
        argv: None (that of the process), or list of str.

    Raises:
        SystemExit: with status 2, if the user must change something.
    """
    arguments = vars(_parser().parse_args(argv))
    command = arguments.pop("command")
    try:
        command(**arguments)
    except (ValueError, OSError) as error:
        print(_printable(f"error: {error}"), file=sys.stderr)
        raise SystemExit(2) from error


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m keras_vae.serving",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(function, summary):
        command = commands.add_parser(
            function.__name__.strip("_"), help=summary, description=summary
        )
        command.set_defaults(command=function)
        return command

    inspect = add(
        _inspect,
        "Print the signatures of a model, with an example request of each.",
    )
    inspect.add_argument("path", metavar="DIR", help="a version or a model")
    inspect.add_argument(
        "--request",
        metavar="SIGNATURE",
        help="print the whole body of its example request and nothing else",
    )
    verification = add(
        _verify,
        "Run every signature of models in TensorFlow's C runtime, on the "
        "warm-up records; the status is 2 if a model must not be shipped.",
    )
    verification.add_argument(
        "paths", metavar="DIR", nargs="+", help="a version or a model"
    )
    config = add(
        _config,
        "Print a models.config, for --model_config_file of the server. The "
        "versions that have labels are served.",
    )
    config.add_argument(
        "paths", metavar="DIR", nargs="+", help="a model, named by its folder"
    )
    config.add_argument(
        "--label",
        dest="labels",
        metavar="MODEL:LABEL=VERSION",
        action="append",
        default=[],
        help="may be given several times; default of each model: stable, "
        "its newest version",
    )
    config.add_argument(
        "--base-path",
        metavar="FOLDER",
        help="where the server sees the models, /models say in a container; "
        "default: where they are here",
    )
    return parser


def _inspect(path, request):
    version = find_version(path)
    signatures = read_signatures(version)
    if request is None:
        print(_printable(str(version)))
        for signature in signatures.values():
            print()
            _print(version, signature)
    elif request in signatures:
        print(_request(version, signatures[request]))
    else:
        raise ValueError(
            f"--request must be one of {', '.join(signatures)}. "
            f"Received: {request!r}"
        )


def _verify(paths):
    problems = []
    for path in paths:
        try:
            version = find_version(path)
            signatures = verify(version)
        except (ValueError, OSError) as error:
            problems.append(str(error))
            continue
        print(_printable(str(version)))
        for signature in signatures.values():
            print(f"  {signature.name:20} ok, {_batching(signature)}")
    if problems:
        raise ValueError("\nerror: ".join(problems))


def _config(paths, labels, base_path):
    by_model = {}
    for text in labels:
        model, _, rest = text.partition(":")
        label, _, version = rest.partition("=")
        if not (label and version.isdecimal()):
            raise ValueError(
                f"--label must be MODEL:LABEL=VERSION. Received: {text!r}"
            )
        numbers = by_model.setdefault(model, {})
        if label in numbers:
            raise ValueError(
                "--label must name a label of a model once. "
                f"Received: {model}:{label}={numbers[label]} and {text!r}"
            )
        numbers[label] = int(version)
    print(models_config(paths, by_model, base_path), end="")


def _request(version, signature):
    try:
        return signature.request()
    # Its shapes were written by somebody.
    except ValueError as error:
        raise ValueError(f"{error}, path={str(version)!r}") from error


def _print(version, signature):
    print(signature.name)
    for kind, specs in (("in", signature.inputs), ("out", signature.outputs)):
        for name, spec in specs.items():
            print(f"  {kind:9}{name:16} {describe(spec)}")
    print(f"  {'batching':9}{_batching(signature)}")
    line = f"  {'POST':9}{_request(version, signature)}"
    if len(line) > _WIDTH:
        line = line[: _WIDTH - 3] + "..."
    print(line)


def _printable(text):
    """Text whose characters move no cursor: folders and models may be bad."""
    return "".join(
        c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text
    )


def _batching(signature):
    obstacle = signature.batching_obstacle
    if obstacle is None:
        return "can be batched by the server"
    return f"cannot be batched: {obstacle}"


if __name__ == "__main__":
    main()
