"""The folder of one run: held by one process, never overwritten."""

import fcntl
import json
import os
import pathlib

from keras_vae.callbacks.writing import atomic_file
from keras_vae.callbacks.writing import remove_drafts

# What may differ when a run goes on.
_FREE = ("epochs", "out", "resume", "saved_models")


class RunDirectory:
    """A folder that one process at a time may write a run into.

    The lock is the kernel's: it ends with the process, however that ends.

    Args:
        path: The folder, created where missing.

    Raises:
        OSError: From `with`, if the folder cannot be written or locked.
        ValueError: From `with`, if another process holds it.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def __enter__(self):
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.path / ".lock", "w")
        except OSError as error:
            raise OSError(
                error.errno,
                "the run directory, `out`, cannot be written: "
                f"{error.strerror}",
                str(self.path),
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise ValueError(
                "Another process is writing this run. "
                f"Received: out={str(self.path)!r}"
            ) from error
        except OSError as error:
            self._lock.close()
            raise OSError(
                error.errno,
                "the run directory, `out`, cannot be locked, as some network "
                f"file systems refuse: {error.strerror}",
                str(self.path),
            ) from error
        return self

    def __exit__(self, *_):
        self._lock.close()

    def claim(self, recipe, config, resume):
        """Writes config.json of a new run, or of an old one, see `check`."""
        self.check(recipe, config, resume)
        self.write_json("config.json", {"recipe": recipe, "config": config})

    def check(self, recipe, config, resume):
        """Raises an error if this run may not be written here.

        Args:
            recipe: str.
            config: dict of JSON values.
            resume: bool, whether an old run may go on.

        Raises:
            ValueError: If the folder holds a run and `resume` is False, or
                it holds another run or none while `resume` is True.
        """
        # A killed process may have left some, and nothing else.
        remove_drafts(self.path)
        file = self.path / "config.json"
        new = json.loads(json.dumps({"recipe": recipe, "config": config}))
        if resume and file.exists():
            self._compare(_read(file), new)
        elif resume:
            raise ValueError(
                "There is no run to resume: config.json is missing. "
                f"Received: out={str(self.path)!r}"
            )
        elif {entry.name for entry in self.path.iterdir()} - {".lock"}:
            raise ValueError(
                "The run directory is not empty: give --resume to go on, or "
                f"another --out. Received: out={str(self.path)!r}"
            )

    def _compare(self, old, new):
        if old["recipe"] != new["recipe"]:
            raise ValueError(
                f"The run directory belongs to the recipe {old['recipe']!r}, "
                f"not to {new['recipe']!r}. Received: out={str(self.path)!r}"
            )
        old, new = old["config"], new["config"]
        keys = [
            key
            for key in dict.fromkeys([*old, *new])
            if key not in _FREE and old.get(key) != new.get(key)
        ]
        if keys:
            parts = [
                f"{key} was {old.get(key)!r}, is {new.get(key)!r}"
                for key in keys
            ]
            raise ValueError(
                "A run goes on with the settings it began with, but: "
                f"{'; '.join(parts)}. Received: out={str(self.path)!r}"
            )

    def write_json(self, name, value):
        """Writes a JSON file, whole or not at all."""
        # NumPy's numbers know how to become Python's.
        text = json.dumps(value, indent=2, default=lambda v: v.item()) + "\n"
        with atomic_file(self.path / name) as file:
            file.write(text.encode())


def _read(file):
    """What `claim` has written, or an error that names the file."""
    try:
        value = json.loads(file.read_bytes())
    # Text that is no Unicode, no JSON, or too deep.
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"The settings of the run are damaged: {error}. Received: {file}"
        ) from error
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("recipe"), str)
        or not isinstance(value.get("config"), dict)
    ):
        raise ValueError(
            "The settings of a run must be a recipe and its config. "
            f"Received: {file}"
        )
    return value


def next_free(folder):
    """Creates and returns the next numbered folder inside `folder`."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(p.name) for p in folder.iterdir() if p.name.isdecimal()]
    number = max(numbers, default=0) + 1
    while True:
        try:
            os.mkdir(folder / str(number))
        except FileExistsError:
            number += 1
        else:
            return folder / str(number)
