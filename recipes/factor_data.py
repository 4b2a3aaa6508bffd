"""Images with known factors, as what a run trains on."""

import dataclasses

import numpy as np

from keras_vae import datasets


def load(config):
    """The images of the settings, as `keras_vae.datasets.FactorImages`."""
    if config.data == "sprites":
        return datasets.sprites(size=16)
    return datasets.load_dsprites(config.data_dir)


def data_of(run, images):
    """Data whose batches are made from bits as they are needed.

    Args:
        run: `harness.Run`.
        images: `keras_vae.datasets.FactorImages`.

    Returns:
        (`Data`, number of training images)
    """
    fraction = run.config.validation_fraction
    shares = {} if fraction is None else {"validation": fraction}
    parts = images.split(**shares, seed=run.config.seed)
    # Numbers of images pass the pipeline as they are, in the place of pixels.
    numbered = run.data_of(*(part.astype("int32") for part in parts))

    def looked_up(batches):
        if batches is None:
            return None
        return batches.map(images.as_tensor, num_parallel_calls=2).prefetch(2)

    data = dataclasses.replace(
        numbered,
        train=lambda epoch: looked_up(numbered.train(epoch)),
        validation=looked_up(numbered.validation),
        x_test=images.at(parts[2][:10_000]),
        mean=np.mean(images.at(parts[0][:10_000]), axis=0),
    )
    return data, len(parts[0])
