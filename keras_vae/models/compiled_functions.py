"""Functions of a model that are traced once."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import tensorflow as tf


class CompiledFunctions:
    """Compiled functions by name.

    A plain object: Keras and TensorFlow would track a dict of functions.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, Callable[..., Any]] = {}

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """The `tf.function` of this name, once it has run."""
        return self._by_name[name]

    def run(
        self,
        name: str,
        function: Callable[..., Any],
        specs: Sequence[tf.TensorSpec],
        arguments: Sequence[tf.Tensor],
        jit_compile: bool | None = None,
    ) -> Any:
        """`function(*arguments)`, in one graph for all calls.

        Inside of another graph it is called as it is.

        Args:
            name: str, the key.
            function: callable of tensors.
            specs: list of `tf.TensorSpec`, of the arguments.
            arguments: list of tensors.
            jit_compile: as of `tf.function`.
        """
        if not tf.executing_eagerly():
            return function(*arguments)
        if name not in self._by_name:
            self._by_name[name] = tf.function(
                function, specs, jit_compile=jit_compile
            )
        return self._by_name[name](*arguments)
