"""Networks of the VQ-VAE-2, for any number of levels."""

from collections.abc import Sequence
from typing import Any

import keras
from numpy.typing import ArrayLike

from keras_vae.arguments import positive_int
from keras_vae.networks.arguments import initializers
from keras_vae.networks.convolution import upsampling
from keras_vae.networks.residual import grid_shape
from keras_vae.networks.residual import residual_decoder
from keras_vae.networks.residual import residual_encoder
from keras_vae.random import spawn_seeds
from keras_vae.typing import Initializer


def vq_vae2_networks(
    event_shape: Sequence[int],
    num_levels: int = 2,
    embedding_dim: int = 64,
    filters: int = 128,
    residual_filters: int = 32,
    num_residual_layers: int = 2,
    first_downsamplings: int = 2,
    output_channels: int | None = None,
    input_mean: ArrayLike | None = None,
    output_bias: ArrayLike | None = None,
    kernel_initializer: Initializer = "lecun_normal",
    seed: int | None = None,
) -> tuple[list[keras.Model], list[keras.Model], keras.Model]:
    """Encoders, upsamplers and the decoder of a VQ-VAE-2.

    The bottom encoder halves the event `first_downsamplings` times, each
    encoder above once more. An upsampler makes features of the level below
    from codes. The decoder brings the codes of all levels to the size of the
    bottom's by transposed convolutions, and decodes them together.

    Args:
        event_shape: Shape of one example: one to three axes, then channels.
        num_levels: Levels of codes.
        embedding_dim: Size of a code, on every level.
        filters: Filters of the convolutions.
        residual_filters: Filters within a residual layer.
        num_residual_layers: Residual layers of each network.
        first_downsamplings: Convolutions of stride 2 of the bottom encoder.
        output_channels: Channels of the likelihood parameters. None takes
            those of the event.
        input_mean: Subtracted from the input, as in `residual_encoder`.
        output_bias: Initial bias of the last layer, broadcast to the
            channels. None is zero.
        kernel_initializer: Initializer of every kernel.
        seed: Integer; equal seeds give equal weights. None draws one.

    Returns:
        Tuple (encoders, upsamplers, decoder) of `keras.Model`s. Encoders,
        bottom first: x -> features of `filters` channels; features of the
        level below -> features. Upsamplers, for the levels above the bottom:
        codes -> `embedding_dim` features of the level below. Decoder: list of
        codes, bottom first -> (batch, ..., output_channels).

    Raises:
        ValueError: If the event has no such shape, a size is not positive, or
            the mean or the bias does not fit.

    Example:
    >>> encoders, upsamplers, decoder = keras_vae.networks.vq_vae2_networks(
    ...     (32, 32, 3)
    ... )
    >>> [encoder.output_shape for encoder in encoders]
    [(None, 8, 8, 128), (None, 4, 4, 128)]
    >>> upsamplers[0].output_shape
    (None, 8, 8, 64)
    >>> decoder.input_shape
    [(None, 8, 8, 64), (None, 4, 4, 64)]
    >>> decoder.output_shape
    (None, 32, 32, 3)

    Reference:
        Razavi, van den Oord, Vinyals, 2019, section 3.1 and appendix.
    """
    event_shape = grid_shape("event_shape", event_shape)
    num_levels = positive_int("num_levels", num_levels)
    embedding_dim = positive_int("embedding_dim", embedding_dim)
    first_downsamplings = positive_int(
        "first_downsamplings", first_downsamplings
    )
    if output_channels is None:
        output_channels = event_shape[-1]
    seeds = iter(spawn_seeds(seed, 2 * num_levels + 1))

    def settings() -> dict[str, Any]:
        return {
            "filters": filters,
            "residual_filters": residual_filters,
            "num_residual_layers": num_residual_layers,
            "kernel_initializer": kernel_initializer,
            "seed": next(seeds),
        }

    encoders: list[keras.Model] = []
    upsamplers, grids = [], []
    for level in range(num_levels):
        encoder = residual_encoder(
            encoders[-1].output_shape[1:] if encoders else event_shape,
            embedding_dim=None,
            num_downsamplings=1 if encoders else first_downsamplings,
            input_mean=None if encoders else input_mean,
            **settings(),
            name=f"encoder_{level + 1}",
        )
        encoders.append(encoder)
        grids.append((*encoder.output_shape[1:-1], embedding_dim))
        if level:
            upsampler = residual_decoder(
                grids[-1],
                grids[-2],
                num_upsamplings=1,
                **settings(),
                name=f"upsampler_{level + 1}",
            )
            upsamplers.append(upsampler)

    bottom = residual_decoder(
        (*grids[0][:-1], num_levels * embedding_dim),
        (*event_shape[:-1], output_channels),
        num_upsamplings=first_downsamplings,
        output_bias=output_bias,
        **settings(),
        name="bottom_decoder",
    )
    count = num_levels * (num_levels - 1) // 2
    kernels = iter(initializers(kernel_initializer, next(seeds), count))
    inputs = [
        keras.Input(grid, name=f"z_{level + 1}")
        for level, grid in enumerate(grids)
    ]
    raised = inputs[:1]
    for level in range(1, num_levels):
        x = inputs[level]
        for below in reversed(range(level)):
            x = upsampling(
                x,
                embedding_dim,
                grids[below][:-1],
                next(kernels),
                activation="relu" if below else None,
            )
        raised.append(x)
    if num_levels > 1:
        raised = [keras.layers.Concatenate()(raised)]
    decoder = keras.Model(inputs, bottom(raised[0]), name="decoder")
    return encoders, upsamplers, decoder
