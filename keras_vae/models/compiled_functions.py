"""Functions of a model that are traced once."""

import tensorflow as tf


class CompiledFunctions:
    """Compiled functions by name.

    A plain object: Keras and TensorFlow would track a dict of functions.
    """

    def __init__(self):
        self._by_name = {}

    def __getitem__(self, name):
        """The `tf.function` of this name, once it has run."""
        return self._by_name[name]

    def run(self, name, function, specs, arguments):
        """`function(*arguments)`, in one graph for all calls.

        Inside of another graph it is called as it is.

        Args:
            name: str, the key.
            function: callable of tensors.
            specs: list of `tf.TensorSpec`, of the arguments.
            arguments: list of tensors.
        """
        if not tf.executing_eagerly():
            return function(*arguments)
        if name not in self._by_name:
            self._by_name[name] = tf.function(function, specs)
        return self._by_name[name](*arguments)
