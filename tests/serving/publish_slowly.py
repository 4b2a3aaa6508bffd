"""Publishes a version, and waits in the middle until it is told to go on.

    python publish_slowly.py PACKAGE FOLDER

It prints a line when it waits, and goes on at the end of its input.
"""

import pathlib
import sys
import types


def main(package, folder):
    # The module alone: the whole package would import TensorFlow.
    for name, path in [
        ("keras_vae", package),
        ("keras_vae.serving", package / "serving"),
    ]:
        module = sys.modules[name] = types.ModuleType(name)
        module.__path__ = [str(path)]
    from keras_vae.serving.publish_version import publish_version

    def write(version):
        (version / "weights").write_bytes(b"1 2")
        print("waiting", flush=True)
        sys.stdin.read()
        (version / "weights").write_bytes(b"1 2 3")

    publish_version(folder, write)


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
