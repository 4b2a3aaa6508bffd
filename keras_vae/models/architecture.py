"""Whether an encoder, a decoder and a likelihood fit together."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.typing import Network

_SHAPE_ONLY = (
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Permute,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.Cropping3D,
)


def check_networks(
    encoder: Network,
    decoder: Network,
    likelihood: Likelihood,
    latent_shape: Sequence[int] | None = None,
) -> None:
    """Checks what is known of shapes and activations, before any data.

    Args:
        encoder, decoder: Keras models; unbuilt ones are checked at `build`.
        likelihood: `Likelihood`.
        latent_shape: shape of a code, or None: the encoder's output.
    """
    for name, network in (("encoder", encoder), ("decoder", decoder)):
        if not isinstance(network, keras.layers.Layer):
            raise ValueError(
                f"`{name}` must be a Keras model or layer. "
                f"Received: {name}={network!r}"
            )
        outputs = getattr(network, "outputs", None) or [None]
        if len(outputs) > 1:
            raise ValueError(
                f"`{name}` must have one output. "
                f"Received: {name} with {len(outputs)} outputs"
            )
    if latent_shape is None and _shape(encoder, "output_shape") is not None:
        latent_shape = _shape(encoder, "output_shape")
    decoder_input = _shape(decoder, "input_shape")
    if latent_shape is not None and decoder_input is not None:
        check_latent(decoder_input, latent_shape)
    event_shape = _shape(encoder, "input_shape")
    params_shape = _shape(decoder, "output_shape")
    if event_shape is not None and params_shape is not None:
        check_params(params_shape, event_shape, likelihood)
    check_activation(decoder, likelihood)


def check_latent(
    decoder_input: Sequence[int], latent_shape: Sequence[int]
) -> None:
    """The decoder takes codes of this shape."""
    if tuple(decoder_input) != tuple(latent_shape):
        raise ValueError(
            "The decoder must take codes of the latent shape "
            f"{tuple(latent_shape)} (`latent_dim`). "
            f"Received: decoder with input shape {tuple(decoder_input)}"
        )


def check_params(
    params_shape: Sequence[int],
    event_shape: Sequence[int],
    likelihood: Likelihood,
) -> None:
    """The decoder gives what the likelihood needs."""
    expected = likelihood.params_shape(tuple(event_shape))
    if tuple(params_shape) != tuple(expected):
        raise ValueError(
            f"{type(likelihood).__name__} over data of shape "
            f"{tuple(event_shape)} needs a decoder with output shape "
            f"{tuple(expected)}. "
            f"Received: decoder with output shape {tuple(params_shape)}"
        )


def check_activation(decoder: Network, likelihood: Likelihood) -> None:
    """The decoder gives logits, not probabilities."""
    activation = _last_activation(decoder)
    if activation in likelihood.bounded_activations:
        raise ValueError(
            f"{type(likelihood).__name__} reads the decoder's output as "
            "logits: leave the last activation out (linear). "
            f"Received: decoder ending in activation={activation!r}"
        )


def check_logits(argument: str, network: Network) -> None:
    """A network gives logits, not probabilities."""
    activation = _last_activation(network)
    if activation in ("sigmoid", "softmax"):
        raise ValueError(
            f"`{argument}` must give logits: its last layer must be linear. "
            f"Received: {argument} that ends in activation {activation!r}"
        )


def build(layer: keras.layers.Layer, input_shape: Any) -> Any:
    """Builds a layer where it is not built; returns its output shape."""
    if not layer.built:
        layer.build(input_shape)
    return layer.compute_output_shape(input_shape)


def event_shape(encoder: Network) -> tuple[int, ...] | None:
    """Shape of one example that the encoder takes, None where not known."""
    return _shape(encoder, "input_shape")


def _shape(network, attribute):
    """A static shape without the batch axis, None where not known."""
    shape = getattr(network, attribute, None) if network.built else None
    if not isinstance(shape, tuple) or not all(
        isinstance(size, int) for size in shape[1:]
    ):
        return None
    return shape[1:]


def _last_activation(network):
    for layer in reversed(getattr(network, "layers", [network])):
        if isinstance(layer, _SHAPE_ONLY):
            continue
        if hasattr(layer, "layers"):
            return _last_activation(layer)
        activation = getattr(layer, "activation", None)
        return getattr(activation, "__name__", None)
    return None
