"""What the functions on stacks of autoencoders share."""

from collections.abc import Sequence

import keras

from keras_vae.models import architecture
from keras_vae.models.encoder_decoder import EncoderDecoder


def build(
    autoencoders: Sequence[keras.Model],
    event_shape: Sequence[int] | None = None,
) -> None:
    """Builds the levels that are not built, and checks that they chain.

    Args:
        autoencoders: list of models, the one next to the data first.
        event_shape: shape of one example; None: what the first level takes.

    Raises:
        ValueError: if a level is no autoencoder, or does not take the codes
            of the one below.
    """
    if not autoencoders:
        raise ValueError(
            "There must be at least one autoencoder. "
            f"Received: autoencoders={autoencoders!r}"
        )
    shape, source = event_shape, "the data"
    for level, model in enumerate(autoencoders):
        if not isinstance(model, EncoderDecoder):
            raise ValueError(
                "A level must be a model with an encoder and a decoder, such "
                "as `keras_vae.Autoencoder`. "
                f"Received: autoencoders[{level}]={model!r}"
            )
        taken = _event_shape(model)
        if taken is None and shape is None:
            raise ValueError(
                f"autoencoders[{level}] is not built, and its encoder does "
                "not say what it takes: build it, or call it on a batch. "
                f"Received: autoencoders[{level}] with built=False"
            )
        if (
            taken is not None
            and shape is not None
            and tuple(taken) != tuple(shape)
        ):
            raise ValueError(
                f"autoencoders[{level}] must take {source}, of shape "
                f"{tuple(shape)}. Received: autoencoders[{level}] for data of "
                f"shape {tuple(taken)}"
            )
        if not model.built:
            with model.distribute_strategy.scope():
                model.build((None, *(shape or taken or ())))
        shape = model.latent_shape()
        source = f"the codes of autoencoders[{level}]"


def _event_shape(model: keras.Model) -> tuple[int, ...] | None:
    if model.built:
        return model.event_shape
    return architecture.event_shape(model.encoder)


def encoder(autoencoders: Sequence[keras.Model]) -> keras.Model:
    """The encoders of built levels as one network, first to last."""
    x = keras.Input(autoencoders[0].event_shape, name="x")
    z = x
    for level, model in enumerate(autoencoders):
        if not hasattr(model, "code_layers"):
            raise ValueError(
                "The code of a level must be made by layers (`code_layers`), "
                "as in `keras_vae.Autoencoder` and the classes made from it; "
                "a VAE can be trained in a stack, not unrolled. "
                f"Received: autoencoders[{level}]={model!r}"
            )
        layers = model.code_layers()
        z = chain(layers, model.event_shape, f"encoder_{level + 1}")(z)
    return keras.Model(x, z, name="encoder")


def chain(
    layers: Sequence[keras.layers.Layer], input_shape: Sequence[int], name: str
) -> keras.Model:
    """A model of the same, shared, layers one after another.

    Levels are models of their own since layers of several levels may have
    the same name.
    """
    x = y = keras.Input(input_shape)
    for layer in layers:
        y = layer(y)
    return keras.Model(x, y, name=name)
