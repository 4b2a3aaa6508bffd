"""What a signature of a SavedModel takes and gives."""

import dataclasses
import json
import math

import numpy as np
import tensorflow as tf

from keras_vae.typing import Array

#: Bytes of one input. A file may claim any shape.
LARGEST_EXAMPLE = 2**30

_NUMBERS = {
    tf.as_dtype(name)
    for name in (
        *("bool", "bfloat16", "float16", "float32", "float64"),
        *("int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64"),
    )
}


@dataclasses.dataclass(frozen=True)
class Signature:
    """One signature of a SavedModel.

    Args:
        name: str.
        inputs: dict of name to `tf.TensorSpec`, whose own name is that of
            the tensor in the graph, "serving_default_x:0" say.
        outputs: as `inputs`.

    Example:

    >>> x = tf.TensorSpec((None, 2), "float32")
    >>> num = tf.TensorSpec((), "int32")
    >>> signature = keras_vae.serving.Signature("f", {"x": x, "n": num}, {})
    >>> signature.batching_obstacle
    'input `n` is a scalar'
    >>> signature.request()
    '{"signature_name": "f", "inputs": {"x": [[0.0, 0.0]], "n": 1}}'
    """

    name: str
    inputs: dict[str, tf.TensorSpec]
    outputs: dict[str, tf.TensorSpec]

    @property
    def batching_obstacle(self) -> str | None:
        """Why the server cannot batch it; None if it can.

        The server concatenates inputs of many requests along their first
        axis and splits the outputs again.
        """
        for kind, specs in (("input", self.inputs), ("output", self.outputs)):
            for name, spec in specs.items():
                if spec.shape.rank is None:
                    return f"{kind} `{name}` is of unknown rank"
                if spec.shape.rank == 0:
                    return f"{kind} `{name}` is a scalar"
                if spec.shape[0] is not None:
                    return f"{kind} `{name}` has no batch axis"
        return None

    def example(self) -> dict[str, Array]:
        """The smallest valid inputs: a dict of name to NumPy array.

        Counts and other scalars are one, all else is zero.

        Raises:
            ValueError: if an input is of unknown rank, is not made of
                numbers, or takes more than a gigabyte.
        """
        return {
            name: _example(f"{self.name}: input `{name}`", spec)
            for name, spec in self.inputs.items()
        }

    def request(self) -> str:
        """Body of a REST request with the `example`, a str of JSON."""
        inputs = {name: v.tolist() for name, v in self.example().items()}
        return json.dumps({"signature_name": self.name, "inputs": inputs})


def _example(what, spec):
    known = spec.shape.rank is not None and spec.dtype in _NUMBERS
    shape = [size or 1 for size in spec.shape.as_list()] if known else []
    if not known or math.prod(shape) * spec.dtype.size > LARGEST_EXAMPLE:
        raise ValueError(
            f"{what} must be numbers of known rank, at most "
            f"{LARGEST_EXAMPLE} bytes. Received: {describe(spec)}"
        )
    make = np.zeros if shape else np.ones
    return make(shape, spec.dtype.as_numpy_dtype)


def check_name(name: str) -> None:
    """Raises a ValueError if a name could mislead whoever reads it printed.

    A terminal obeys some of the characters that are not printed.
    """
    if not name.isprintable():
        raise ValueError(f"a name that cannot be printed: {name!r}")


def describe(spec: tf.TensorSpec) -> str:
    """A spec as text: "float32 [?, 8, 8, 1]"."""
    if spec.shape.rank is None:
        return f"{spec.dtype.name} of unknown rank"
    sizes = ", ".join("?" if s is None else str(s) for s in spec.shape)
    return f"{spec.dtype.name} [{sizes}]"
