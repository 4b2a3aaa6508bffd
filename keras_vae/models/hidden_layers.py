"""Activations inside a network, taken in its one forward pass."""

from collections.abc import Callable
from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_vae.typing import Network


def names(network: Network) -> list[str]:
    """Names of the layers whose activations can be taken, in order.

    Args:
        network: built Keras layer; one that is no graph of layers, such as a
            subclassed model, has none.
    """
    if not getattr(network, "inputs", None):
        return []
    return [
        layer.name
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]


def divide(layers: Sequence[str], *networks: Network) -> list[list[str]]:
    """Which of the named layers each network has.

    Args:
        layers: names of layers.
        *networks: built Keras layers.

    Returns:
        List of names for each network, in the order of `layers`.

    Raises:
        ValueError: if a name is not that of one layer.
    """
    known = [names(network) for network in networks]
    for name in layers:
        if sum(known, []).count(name) != 1 or layers.count(name) != 1:
            raise ValueError(
                "Each name must be that of one layer of a Functional or "
                f"Sequential model; the layers are {known}. "
                f"Received: layers={list(layers)}"
            )
    return [[n for n in layers if n in found] for found in known]


def output(network: Network, name: str) -> keras.KerasTensor:
    """The symbolic output of a layer in the graph of a network.

    Raises:
        ValueError: if the graph does not have that layer, once.
    """
    # `layer.output` would be that of the first graph the layer was put in.
    graph = getattr(network, "_functional", network)
    outputs = [
        node.output_tensors
        for nodes in graph._nodes_by_depth.values()
        for node in nodes
        if node.operation.name == name
    ]
    if len(outputs) != 1 or len(outputs[0]) != 1:
        raise ValueError(
            f"{network.name!r} must use the layer once, with one output. "
            f"Received: layer={name!r}"
        )
    return outputs[0][0]


def with_activations(
    network: Network, layers: Sequence[str]
) -> Callable[..., tuple[tf.Tensor, list[tf.Tensor]]]:
    """A network that also gives the outputs of some of its layers.

    Args:
        network: built Functional or Sequential model of one input; any layer
            if `layers` is empty.
        layers: names of its layers.

    Returns:
        Callable from (x, training) to (output, list of activations). It has
        no weights but those of the network.

    Raises:
        ValueError: if a layer is not used once.
    """
    if not layers:
        return lambda x, training: (network(x, training=training), [])
    outputs = [output(network, name) for name in layers]
    model = keras.Model(network.inputs[0], [*network.outputs, *outputs])

    def call(x, training):
        first, *activations = model(x, training=training)
        return first, activations

    return call
