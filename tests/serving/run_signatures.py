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

BLOCKED = {"keras_vae", "keras", "tf_keras", "tensorflow_probability"}


class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)


def main(jobs):
    sys.meta_path.insert(0, Blocker())

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

    imported = BLOCKED & {name.partition(".")[0] for name in sys.modules}
    if imported:
        sys.exit(f"not blocked: {imported}")
    print("blocked:", *sorted(BLOCKED))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
