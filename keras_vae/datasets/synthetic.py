"""Series and videos that are made on the spot."""

import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.datasets.draws import uniform
from keras_vae.typing import Array

HARMONICS = 4


def waveforms(num: int, length: int = 256, seed: int = 0) -> Array:
    """Synthesise tones: a few harmonics that decay, of random pitch.

    x(t) = loudness * sum_k a_k sin(2 pi k f t + phase_k)
        * min(1, t / attack) exp(-decay_k t),  a_k >= 0, sum_k a_k = 1

    A period has 16 to 64 samples, and the four harmonics of a tone fade at
    rates of their own.

    Args:
        num: Number of waveforms.
        length: Samples of each.
        seed: Non-negative integer. The first waveforms of a seed do not depend
            on `num`.

    Returns:
        A float32 array (num, length, 1) with values in [-1, 1].

    Raises:
        ValueError: If a size is not a positive integer, or the seed is none.

    Example:
    >>> x = keras_vae.datasets.waveforms(3, length=100)
    >>> x.shape, x.dtype.name
    ((3, 100, 1), 'float32')
    """
    positive_int("length", length)
    draws = uniform(seed, num, 3 + 3 * HARMONICS)[..., None]
    period, loudness, attack = np.moveaxis(draws[:, :3], 1, 0)
    heights, phases, decays = np.split(draws[:, 3:], 3, axis=1)
    k = np.arange(1, HARMONICS + 1)[:, None]
    heights = (0.2 + heights) / k
    heights /= heights.sum(axis=1, keepdims=True)
    t = np.arange(length)
    # In octaves, as pitch is heard.
    cycles = t[None] / (16 * 4**period)
    tones = np.sin(2 * np.pi * (k * cycles[:, None] + phases))
    # From a quarter of the tone is left at the end, to next to nothing.
    tones *= np.exp(-(1.5 + 6 * decays) * t / length)
    envelope = np.minimum(1, t / (1 + attack * length / 8))
    x = (0.5 + 0.5 * loudness) * envelope * (heights * tones).sum(axis=1)
    return x[..., None].astype("float32")


def moving_digits(
    num: int, num_frames: int = 8, size: int = 16, seed: int = 0
) -> Array:
    """Make videos of handwritten digits that move and bounce off the walls.

    One of scikit-learn's 8x8 digits moves on a straight line, 1 to 2.5 pixels
    a frame from a random place in a random direction, and is reflected where
    it meets a side. It is drawn at the nearest whole pixel, never cut off.

    Args:
        num: Number of videos.
        num_frames: Frames of each.
        size: Height and width, at least 9.
        seed: Non-negative integer. The first videos of a seed do not depend on
            `num`.

    Returns:
        A float32 array (num, num_frames, size, size, 1) with values in [0, 1].

    Raises:
        ValueError: If a size is not an integer or too small, or the seed is
            none.

    Example:
    >>> x = keras_vae.datasets.moving_digits(2)
    >>> x.shape, x.dtype.name
    ((2, 8, 16, 16, 1), 'float32')

    Reference:
        Srivastava, Mansimov, Salakhutdinov, 2015, section 4.2, with one digit.
    """
    from sklearn.datasets import load_digits

    images = (load_digits().images / 16).astype("float32")
    edge = images.shape[1]
    positive_int("num_frames", num_frames)
    positive_int("size", size, edge + 1)
    draws = uniform(seed, num, 5)
    digits = images[(draws[:, 0] * len(images)).astype(int)]
    room = size - edge
    start = draws[:, 1:3] * room
    angle = 2 * np.pi * draws[:, 3:4]
    speed = 1 + 1.5 * draws[:, 4:]
    velocity = speed * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    time = np.arange(num_frames)[:, None]
    line = start[:, None] + velocity[:, None] * time
    # A line folded at 0 and at `room`.
    corner = np.rint(room - np.abs(line % (2 * room) - room)).astype(int)
    top, left = corner[..., 0, None, None], corner[..., 1, None, None]
    frames = np.zeros((num, num_frames, size, size), "float32")
    frames[
        np.arange(num)[:, None, None, None],
        np.arange(num_frames)[:, None, None],
        top + np.arange(edge)[:, None],
        left + np.arange(edge),
    ] = digits[:, None]
    return frames[..., None]
