"""One deep autoencoder made of a stack."""

from collections.abc import Sequence

import keras

from keras_vae.stacking import levels


def unroll(
    autoencoders: Sequence[keras.Model],
) -> tuple[keras.Model, keras.Model]:
    """Join a stack of autoencoders into one deep encoder and one decoder.

    encoder: encoder_L(... encoder_2(encoder_1(x)))
    decoder: decoder_1(mean_2(decoder_2(... mean_L(decoder_L(z)))))

    where mean_l is the mean of the likelihood of level l, which is over the
    codes of the level below (a sigmoid for "bernoulli"). The lowest decoder
    gives raw parameters of its likelihood, as decoders do.

    The layers are those of the stack, not copies: training the deep
    autoencoder changes the stack too.

    Args:
        autoencoders: List of `keras_vae.Autoencoder` or of models of classes
            made from it, the one next to the data first.

    Returns:
        Tuple of two Keras models, (encoder, decoder).

    Raises:
        ValueError: If levels do not chain, or one makes its code by other
            means than layers, as a VAE does.

    Example:
    >>> def level(inputs, units):
    ...     return keras_vae.Autoencoder(
    ...         keras.Sequential(
    ...             [keras.Input((inputs,)), keras.layers.Dense(units)]
    ...         ),
    ...         keras.Sequential(
    ...             [keras.Input((units,)), keras.layers.Dense(inputs)]
    ...         ),
    ...     )
    >>> stack = [level(6, 4), level(4, 2)]
    >>> encoder, decoder = keras_vae.stacking.unroll(stack)
    >>> deep = keras_vae.Autoencoder(
    ...     encoder, decoder, likelihood=stack[0].likelihood
    ... )
    >>> deep.encode(np.ones((5, 6), "float32")).shape
    TensorShape([5, 2])

    Reference:
        Hinton, Salakhutdinov, 2006, figure 1.
    """
    autoencoders = list(autoencoders)
    levels.build(autoencoders)
    encoder = levels.encoder(autoencoders)
    layers = []
    for level, model in reversed(list(enumerate(autoencoders))):
        parts = [model.decoder]
        if level > 0:
            parts.append(model.likelihood)
        layers.append(
            levels.chain(parts, model.latent_shape(), f"decoder_{level + 1}")
        )
    top = autoencoders[-1].latent_shape()
    return encoder, levels.chain(layers, top, "decoder")
