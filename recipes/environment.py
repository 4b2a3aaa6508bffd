"""What a number means nothing without. Needs no TensorFlow."""

import os
import platform
import shlex
import sys
from importlib import metadata

PACKAGES = (
    "keras_vae",
    "keras",
    "tensorflow",
    "tensorflow-probability",
    "numpy",
)


def environment():
    """The command, the versions and the machine, for a JSON file."""
    return {
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu(),
        "load": os.getloadavg()[0],
        "versions": {
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in PACKAGES},
        },
    }


def _cpu():
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
