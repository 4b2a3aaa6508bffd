"""Runs SavedModels in a process that has TensorFlow and little else.

    python run_signatures.py JOBS

JOBS is a JSON list of [VERSION, INPUTS, OUTPUTS]: a SavedModel and two .npz
files whose keys are "<call>/<signature>/<name>".
"""

import collections
import importlib.abc
import json
import pathlib
import sys

HIDDEN = {"keras_vae", "keras", "tf_keras", "tensorflow_probability"}


class Hiding(importlib.abc.MetaPathFinder):
    """A finder that finds what another one does, but for what is hidden."""

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in HIDDEN:
            return self.finder.find_spec(name, path, target)


def main(jobs):
    sys.meta_path[:] = map(Hiding, sys.meta_path)

    import numpy as np
    import tensorflow as tf

    for version, inputs, outputs in json.loads(jobs.read_text()):
        calls = collections.defaultdict(dict)
        with np.load(inputs) as arrays:
            for key, array in arrays.items():
                call, name = key.rsplit("/", 1)
                calls[call][name] = tf.constant(array)
        served = tf.saved_model.load(version)
        results = {}
        for call, tensors in calls.items():
            signature = served.signatures[call.partition("/")[2]]
            for name, value in signature(**tensors).items():
                results[f"{call}/{name}"] = value.numpy()
        np.savez(outputs, **results)

    imported = HIDDEN & {name.partition(".")[0] for name in sys.modules}
    if imported:
        sys.exit(f"not hidden: {imported}")
    print("hidden:", *sorted(HIDDEN))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
