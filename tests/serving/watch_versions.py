"""Polls a model's folder as a server does, for tests of publication.

    python watch_versions.py FOLDER STOP REPORT

Notes every version the moment that it appears, with the digests of its files,
until the file STOP exists. REPORT then holds, as JSON,
{"polls": int, "versions": {version: {file: digest}}}.
"""

import hashlib
import json
import pathlib
import sys
import time


def digests(version):
    return {
        file.relative_to(version).as_posix(): hashlib.sha256(
            file.read_bytes()
        ).hexdigest()
        for file in version.rglob("*")
        if file.is_file()
    }


def watch(folder, stop):
    polls, seen = 0, {}
    while True:
        stopped = stop.exists()
        for version in folder.glob("[0-9]*"):
            if version.name not in seen:
                seen[version.name] = digests(version)
        polls += 1
        if stopped:
            return {"polls": polls, "versions": seen}
        time.sleep(0.001)


if __name__ == "__main__":
    folder, stop, report = map(pathlib.Path, sys.argv[1:])
    print("watching", flush=True)
    report.write_text(json.dumps(watch(folder, stop)))
