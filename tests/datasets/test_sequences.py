"""Sequences whose laws are known, and padding."""

import numpy as np
import pytest

from keras_vae import datasets


def test_frames_are_the_image_rolled(digits):
    x, direction = datasets.moving_images(digits, 30, length=11, seed=2)
    assert x.shape == (30, 11, 8, 8, 1) and x.dtype == digits.dtype
    assert set(direction) == {-1, 1}
    for video, step in zip(x, direction):
        for frame in range(10):
            np.testing.assert_array_equal(
                video[frame + 1], np.roll(video[frame], step, axis=1)
            )
    # Eight pixels later it is where it was; the images are real ones.
    np.testing.assert_array_equal(x[:, 0], x[:, 8])
    rolled = np.concatenate([np.roll(digits, s, axis=2) for s in range(8)])
    for first in x[:5, 0]:
        assert np.any(np.all(rolled == first, axis=(1, 2, 3)))


def test_starts_and_directions_are_uniform(digits):
    marked = np.zeros((1, 2, 4, 1), "float32")
    marked[0, 0, 0] = 1.0
    x, direction = datasets.moving_images(marked, 4000, length=2)
    assert np.mean(direction == 1) == pytest.approx(0.5, abs=0.03)
    places = np.bincount(x[:, 0, 0, :, 0].argmax(axis=1), minlength=4)
    np.testing.assert_allclose(places / 4000, 0.25, atol=0.03)


def test_halved_images():
    images = np.arange(2 * 5 * 4, dtype="float32").reshape(2, 5, 4, 1)
    small = datasets.halved_images(images)
    assert small.shape == (2, 2, 2, 1) and small.dtype == np.float32
    assert small[0, 0, 0, 0] == images[0, :2, :2].mean()
    assert small[1, 1, 1, 0] == images[1, 2:4, 2:4].mean()
    for bad in (np.ones((2, 5, 4, 1), "uint8"), np.ones((5, 4)), images[:, :1]):
        with pytest.raises(ValueError, match="`images` must be floats"):
            datasets.halved_images(bad)


def test_oscillators_without_noise_rotate():
    x, state = datasets.harmonic_oscillator(
        20, 40, noise=0.0, frequency=0.1, frequency_spread=0.0
    )
    radius = np.linalg.norm(state, axis=-1)
    np.testing.assert_allclose(radius, radius[:, :1] * np.ones(40), rtol=1e-5)
    assert 0.5 <= radius.min() and radius.max() <= 1.5
    np.testing.assert_array_equal(x[..., 0], state[..., 0])
    # Ten steps are one period.
    np.testing.assert_allclose(x[:, 10:], x[:, :-10], atol=1e-5)


def test_noise_of_oscillators():
    x, state = datasets.harmonic_oscillator(500, 40, noise=0.2, seed=3)
    error = (x[..., 0] - state[..., 0]).std()
    assert error == pytest.approx(0.2, rel=0.03)
    # The state is disturbed by a tenth of that: a random walk of the radius.
    change = np.diff(np.linalg.norm(state, axis=-1), axis=1)
    assert change.std() == pytest.approx(0.02, rel=0.1)


def test_frequencies_of_oscillators():
    _, state = datasets.harmonic_oscillator(400, 3, noise=0.0, frequency=0.05)
    turns = state[..., 0] + 1j * state[..., 1]
    f = np.angle(turns[:, 1] / turns[:, 0]) / (2 * np.pi)
    assert 0.025 <= f.min() < 0.03 and 0.07 < f.max() <= 0.075


def test_switching_sine():
    x, regime = datasets.switching_sine(
        300, 60, periods=(6, 15), switch=0.2, noise=0.0
    )
    assert np.mean(np.diff(regime, axis=1) != 0) == pytest.approx(0.2, abs=0.02)
    assert np.mean(regime) == pytest.approx(0.5, abs=0.05)
    # While the regime stays, sin(a + b) + sin(a - b) = 2 sin(a) cos(b).
    stays = (regime[:, :-2] == regime[:, 1:-1])[..., None]
    left = x[:, :-2] + x[:, 2:]
    cosine = np.cos(2 * np.pi / np.array([6, 15])[regime[:, 1:-1]])[..., None]
    np.testing.assert_allclose(
        left[stays], (2 * x[:, 1:-1] * cosine)[stays], atol=1e-5
    )


def test_first_sequences_do_not_depend_on_how_many(digits):
    few, many = (
        datasets.moving_images(digits, n, 5, seed=1)[0] for n in (3, 9)
    )
    np.testing.assert_array_equal(few, many[:3])
    one, same, other = (
        datasets.harmonic_oscillator(4, 6, seed=s)[0] for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_padding():
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(n, 2)).astype("float32") for n in (3, 1, 4)]
    padded = datasets.pad_sequences(sequences, length=6)
    assert padded["x"].shape == (3, 6, 2) and padded["x"].dtype == np.float32
    for x, mask, sequence in zip(padded["x"], padded["mask"], sequences):
        np.testing.assert_array_equal(x[mask], sequence)
        assert not x[~mask].any() and mask.sum() == len(sequence)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: datasets.moving_images(np.ones((8, 8)), 3), "images"),
        (lambda: datasets.moving_images(np.ones((1, 2, 2, 1)), 0), "num"),
        (lambda: datasets.harmonic_oscillator(3, 2.5), "length"),
        (lambda: datasets.harmonic_oscillator(3, noise=-1.0), "noise"),
        (
            lambda: datasets.harmonic_oscillator(3, frequency_spread=1.0),
            "frequency_spread",
        ),
        (lambda: datasets.switching_sine(3, switch=2.0), "switch"),
        (lambda: datasets.switching_sine(3, seed=-1), "seed"),
        (lambda: datasets.pad_sequences([]), "sequences"),
        (lambda: datasets.pad_sequences([np.ones((0, 2))]), "sequences"),
        (
            lambda: datasets.pad_sequences([np.ones((2, 1)), np.ones((2, 2))]),
            "sequences",
        ),
        (lambda: datasets.pad_sequences([np.ones((3, 1))], 2), "length"),
    ],
)
def test_bad_arguments(call, name):
    with pytest.raises(ValueError, match=f"`{name}` must.*Received: "):
        call()
