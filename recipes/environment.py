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
        "cores": _cores(),
        "cpu": _cpu(),
        "load": os.getloadavg()[0],
        "versions": {
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in PACKAGES},
        },
    }


def _cores():
    """Those that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _cpu():
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
