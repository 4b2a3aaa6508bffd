"""Sequences that are made on the spot, and sequences of unequal length."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_vae.arguments import non_negative
from keras_vae.arguments import positive_int
from keras_vae.arguments import proper_fraction
from keras_vae.datasets.draws import uniform
from keras_vae.typing import Array


def moving_images(
    images: Array, num: int, length: int = 20, seed: int = 0
) -> tuple[Array, Array]:
    """Make videos of images that move sideways, one pixel a frame.

    Each video is one image, in one direction from a random place; what leaves
    on one side comes back on the other. The state is hidden in a single frame:
    it does not show the direction.

    Args:
        images: Array (count, height, width, channels) to draw from.
        num: Number of videos.
        length: Frames of each.
        seed: Non-negative integer. The first videos of a seed do not depend on
            `num`.

    Returns:
        Tuple (x, direction): an array (num, length, height, width, channels)
        of the dtype of `images`, and int32 (num,): 1 to the right, -1 to the
        left.

    Raises:
        ValueError: If these are not images, a size is not a positive integer,
            or the seed is none.

    Example:
    >>> digits = keras_vae.datasets.load_arrays("digits").x_train
    >>> x, direction = keras_vae.datasets.moving_images(digits, 3, length=5)
    >>> x.shape, direction.shape
    ((3, 5, 8, 8, 1), (3,))

    Reference:
        Gregor, Papamakarios, Besse, Buesing, Weber, 2019, section 5.2.
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            "`images` must have shape (count, height, width, channels). "
            f"Received: images of shape {images.shape}"
        )
    positive_int("length", length)
    draws = uniform(seed, num, 3)
    chosen = images[(draws[:, 0] * len(images)).astype(int)]
    width = images.shape[2]
    direction = np.where(draws[:, 1] < 0.5, -1, 1)
    start = (draws[:, 2] * width).astype(int)
    shift = start[:, None] + direction[:, None] * np.arange(length)
    # Column c of a frame is column c - shift of the image.
    columns = (np.arange(width) - shift[..., None]) % width
    x = np.take_along_axis(
        chosen[:, None], columns[:, :, None, :, None], axis=3
    )
    return x, direction.astype("int32")


def halved_images(images: Array) -> Array:
    """Means of blocks of 2 x 2 pixels: half of the height and width.

    Args:
        images: Float array (count, height, width, channels).

    Returns:
        Array (count, height // 2, width // 2, channels); an odd last row or
        column is left out.

    Raises:
        ValueError: If these are not images of floats of at least 2 x 2.

    Example:
    >>> keras_vae.datasets.halved_images(np.ones((5, 28, 28, 1))).shape
    (5, 14, 14, 1)
    """
    images = np.asarray(images)
    if (
        images.ndim != 4
        or min(images.shape[1:3]) < 2
        or not np.issubdtype(images.dtype, np.floating)
    ):
        raise ValueError(
            "`images` must be floats of shape (count, height, width, "
            "channels), at least 2 x 2. Received: images of shape "
            f"{images.shape}, dtype {images.dtype}"
        )
    count, height, width, channels = images.shape
    height, width = height // 2, width // 2
    blocks = images[:, : 2 * height, : 2 * width].reshape(
        count, height, 2, width, 2, channels
    )
    return blocks.mean(axis=(2, 4), dtype=images.dtype)


def harmonic_oscillator(
    num: int,
    length: int = 200,
    noise: float = 0.1,
    frequency: float = 0.05,
    frequency_spread: float = 0.5,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Positions of noisy harmonic oscillators.

    s(t + 1) = rotation by 2 pi f of s(t), plus N(0, (noise / 10)^2)
    x(t) = first component of s(t), plus N(0, noise^2)

    The frequency f of a series is uniform within `frequency_spread` times
    `frequency` above and below it, the amplitude within 0.5 and 1.5, the phase
    anywhere.

    Args:
        num: Number of series.
        length: Observations of each.
        noise: Standard deviation of the observations.
        frequency: Periods in one step, on the average.
        frequency_spread: In [0, 1).
        seed: Non-negative integer.

    Returns:
        Tuple (x, state): float32 arrays (num, length, 1) and
        (num, length, 2).

    Raises:
        ValueError: If a size is not a positive integer, a number is out of
            its range, or the seed is none.

    Example:
    >>> x, state = keras_vae.datasets.harmonic_oscillator(3, length=50)
    >>> x.shape, state.shape
    ((3, 50, 1), (3, 50, 2))

    Reference:
        Gregor, Papamakarios, Besse, Buesing, Weber, 2019, section 5.3.
    """
    non_negative("noise", noise)
    proper_fraction("frequency_spread", frequency_spread)
    positive_int("length", length)
    draws = uniform(seed, num, 3)
    f = frequency * (1.0 + frequency_spread * (2.0 * draws[:, 0] - 1.0))
    # NumPy freezes the streams of RandomState.
    normal = np.random.RandomState([seed, 1]).normal(size=(length, num, 3))
    turn = np.exp(2j * np.pi * f)
    state = (0.5 + draws[:, 1]) * np.exp(2j * np.pi * draws[:, 2])
    visited = []
    for disturbance in normal:
        visited.append(state)
        kick = disturbance[:, 0] + 1j * disturbance[:, 1]
        state = turn * state + 0.1 * noise * kick
    states = np.stack(visited, axis=1)
    x = states.real + noise * normal[..., 2].T
    state = np.stack([states.real, states.imag], axis=-1)
    return x[..., None].astype("float32"), state.astype("float32")


def switching_sine(
    num: int,
    length: int = 50,
    periods: Sequence[float] = (8, 20),
    switch: float = 0.1,
    noise: float = 0.05,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Sines that change between two frequencies at random times.

    The phase is continuous. At each step the frequency changes to the other
    one with a probability: a hidden state of two values.

    Args:
        num: Number of series.
        length: Observations of each.
        periods: Steps of a period, of both.
        switch: Probability of a change at a step.
        noise: Standard deviation of the observations.
        seed: Non-negative integer.

    Returns:
        Tuple (x, regime): float32 (num, length, 1), and int32 (num, length),
        the index of the period that leads to the next step.

    Raises:
        ValueError: If a size is not a positive integer, a number is out of
            its range, or the seed is none.

    Example:
    >>> x, regime = keras_vae.datasets.switching_sine(3, length=20)
    >>> x.shape, regime.shape
    ((3, 20, 1), (3, 20))
    """
    if not 0.0 <= switch <= 1.0:
        raise ValueError(
            f"`switch` must be a probability. Received: switch={switch}"
        )
    positive_int("length", length)
    draws = uniform(seed, num, 2)
    random = np.random.RandomState([seed, 1])
    flips = random.uniform(size=(length, num)).T < switch
    flips[:, 0] = draws[:, 0] < 0.5
    regime = np.cumsum(flips, axis=1) % 2
    step = 1.0 / np.asarray(periods, "float64")[regime]
    phase = draws[:, 1:] + np.cumsum(step, axis=1) - step
    x = np.sin(2 * np.pi * phase)
    x += noise * random.normal(size=(length, num)).T
    return x[..., None].astype("float32"), regime.astype("int32")


def pad_sequences(
    sequences: Sequence[ArrayLike], length: int | None = None
) -> dict[str, Array]:
    """One array of sequences of unequal length, and its mask.

    Args:
        sequences: List of arrays (steps, ...), equal but for the first axis.
        length: None: that of the longest.

    Returns:
        dict of "x": array (num, length, ...), zeros after the end, and
        "mask": bool (num, length), True up to it.

    Raises:
        ValueError: If there are none, one is empty or longer than `length`,
            or their steps differ in shape.

    Example:
    >>> padded = keras_vae.datasets.pad_sequences([np.ones((3, 2)),
    ...                                            np.ones((1, 2))])
    >>> padded["x"].shape, padded["mask"].tolist()
    ((2, 3, 2), [[True, True, True], [True, False, False]])
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    sizes = [len(array) if array.ndim else 0 for array in arrays]
    steps = {array.shape[1:] for array in arrays}
    if not arrays or min(sizes) == 0 or len(steps) > 1:
        raise ValueError(
            "`sequences` must hold arrays of at least one step, of one shape. "
            f"Received: shapes {[array.shape for array in arrays]}"
        )
    length = max(sizes) if length is None else length
    if max(sizes) > length:
        raise ValueError(
            f"`length` must be at least that of the longest, {max(sizes)}. "
            f"Received: length={length}"
        )
    x = np.zeros((len(sizes), length, *steps.pop()), arrays[0].dtype)
    for row, array in zip(x, arrays):
        row[: len(array)] = array
    return {"x": x, "mask": np.arange(length) < np.array(sizes)[:, None]}
