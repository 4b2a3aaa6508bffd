"""Sequences that TD-VAEs are fitted to."""

import numpy as np

from keras_vae import datasets

#: Standard deviation of what is observed of an oscillator.
NOISE = 0.1


def moving_digits(config):
    """Videos of binary digits that move sideways.

    Args:
        config: with `images`, `data_dir`, `validation_fraction`, `num_train`,
            `num_test`, `length` and `seed`.

    Returns:
        dict of "train", "validation" and "test" to tuples (x, direction), x
        uint8 (num, length, height, width, 1), see
        `keras_vae.datasets.moving_images`.
    """
    arrays = datasets.load_arrays(
        config.images, config.data_dir, config.validation_fraction
    ).as_float32()
    videos = {}
    for index, (split, num) in enumerate(_sizes(config).items()):
        images = getattr(arrays, f"x_{split}")
        # Two cores see many of 14x14, few of 28x28.
        if min(images.shape[1:3]) >= 16:
            images = datasets.halved_images(images)
        images = (images > 0.5).astype("uint8")
        videos[split] = datasets.moving_images(
            images, num, config.length, seed=3 * config.seed + index
        )
    return videos


def oscillator(config):
    """Positions of noisy harmonic oscillators.

    Args:
        config: with `num_train`, `num_test`, `length`, `frequency_spread`,
            `seed`.

    Returns:
        dict of "train", "validation" and "test" to tuples (x, state), see
        `keras_vae.datasets.harmonic_oscillator`.
    """
    return {
        split: datasets.harmonic_oscillator(
            num,
            config.length,
            NOISE,
            frequency_spread=config.frequency_spread,
            seed=3 * config.seed + index,
        )
        for index, (split, num) in enumerate(_sizes(config).items())
    }


def _sizes(config):
    return {
        "train": config.num_train,
        "validation": config.num_test,
        "test": config.num_test,
    }


def found_directions(frames):
    """Direction of motion in videos, by matching a frame to the one before.

    Args:
        frames: array (..., frames, height, width, channels), at least two
            frames.

    Returns:
        array (...): 1 to the right, -1 to the left, 0 if neither fits better.
    """
    frames = np.asarray(frames)
    before, after = frames[..., :-1, :, :, :], frames[..., 1:, :, :, :]
    right, left = (
        np.sum(np.roll(before, shift, axis=-2) * after, axis=(-4, -3, -2, -1))
        for shift in (1, -1)
    )
    return np.sign(right - left).astype(int)
