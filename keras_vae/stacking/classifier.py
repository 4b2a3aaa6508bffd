"""A classifier that starts from a stack."""

from collections.abc import Sequence

import keras

from keras_vae.arguments import positive_int
from keras_vae.stacking import levels


def classifier(
    autoencoders: Sequence[keras.Model],
    num_classes: int,
    noise: keras.layers.Layer | None = None,
    name: str = "classifier",
) -> keras.Model:
    """Put a layer of logits on the codes of a stack of autoencoders.

    The model is plain Keras: compile it with
    `SparseCategoricalCrossentropy(from_logits=True)` and fit it on inputs and
    labels. Its layers below the logits are those of the stack, not copies:
    fine-tuning changes the stack too.

    Args:
        autoencoders: As in `unroll`.
        num_classes: Positive int, number of logits.
        noise: None, or a layer that acts on the inputs in training only, such
            as `keras_vae.layers.MaskingNoise`.
        name: Name of the model.

    Returns:
        A `keras.Model`: (batch, *event_shape) -> (batch, num_classes).

    Raises:
        ValueError: As in `unroll`, or if `num_classes` is not positive.

    Example:
    >>> encoder = keras_vae.networks.mlp_encoder((8, 8, 1), units=(32,))
    >>> decoder = keras_vae.networks.mlp_decoder(32, (8, 8, 1), units=(32,))
    >>> autoencoder = keras_vae.Autoencoder(encoder, decoder)
    >>> model = keras_vae.stacking.classifier([autoencoder], num_classes=10)
    >>> model.output_shape
    (None, 10)

    Reference:
        Vincent, Larochelle, Lajoie, Bengio, Manzagol, 2010, section 3.5.
    """
    autoencoders = list(autoencoders)
    num_classes = positive_int("num_classes", num_classes)
    levels.build(autoencoders)
    x = keras.Input(autoencoders[0].event_shape, name="x")
    h = x if noise is None else noise(x)
    h = levels.encoder(autoencoders)(h)
    if len(h.shape) > 2:
        h = keras.layers.Flatten()(h)
    # Single precision, as all that becomes a loss.
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(h)
    return keras.Model(x, logits, name=name)
