import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_vae.datasets import moving_digits
from keras_vae.datasets import waveforms
from keras_vae.datasets.draws import uniform

MAKERS = [waveforms, moving_digits]


@pytest.mark.parametrize("make", MAKERS)
def test_a_function_of_the_seed(make):
    x = make(6, seed=1)
    assert x.dtype == "float32"
    np.testing.assert_array_equal(x, make(6, seed=1))
    np.testing.assert_array_equal(x[:2], make(2, seed=1))
    assert not np.allclose(x, make(6, seed=2))
    assert all(np.abs(x[i] - x[0]).max() > 0.1 for i in range(1, 6))


def test_no_seed_of_numpy_is_touched():
    np.random.seed(0)
    expected = np.random.RandomState(0).uniform()
    waveforms(2)
    moving_digits(2)
    assert np.random.uniform() == expected


def test_draws_are_a_stream_that_numpy_keeps():
    expected = np.random.RandomState(7).uniform(size=(5, 3))
    np.testing.assert_array_equal(uniform(7, 5, 3), expected)
    np.testing.assert_array_equal(uniform(7, 2, 3), expected[:2])


@pytest.mark.parametrize("length", [1, 100, 256])
def test_waveforms_fill_their_range(length):
    x = waveforms(500, length)
    assert x.shape == (500, length, 1)
    assert np.abs(x).max() <= 1
    if length > 1:
        assert x.min() < -0.5 and x.max() > 0.5
        assert np.abs(x.mean()) < 0.05


def test_waveforms_have_pitch_and_decay():
    """The power is in four harmonics of one frequency, and fades."""
    length = 512
    x = waveforms(100, length)[..., 0]
    power = np.abs(np.fft.rfft(x)) ** 2
    frequency = np.arange(power.shape[1]) / length
    # Four times the highest pitch, a sixteenth of the sampling rate.
    low = power[:, frequency <= 0.26].sum(1) / power.sum(1)
    assert low.min() > 0.99
    # Below the lowest pitch, there is next to nothing.
    lowest = power[:, frequency < 0.5 / 64].sum(1) / power.sum(1)
    assert lowest.max() < 0.1
    peak = frequency[power.argmax(1)]
    assert np.quantile(peak, 0.9) > 2 * np.quantile(peak, 0.1)
    energy = (x.reshape(100, 4, -1) ** 2).sum(-1)
    assert (energy[:, 3] < 0.5 * energy.max(1)).all()
    assert (energy[:, 3] > 0).all()


def corners(video):
    """(top, left) of the ink in each frame."""
    return np.array([np.argwhere(frame).min(0)[:2] for frame in video])


def test_digits_stay_whole():
    x = moving_digits(50, num_frames=30, size=13)
    assert x.shape == (50, 30, 13, 13, 1)
    assert 0 == x.min() and x.max() == 1
    digits = {image.tobytes() for image in load_digits().images / 16}
    for video in x[..., 0].astype("float64"):
        ink = {
            frame[i : i + 8, j : j + 8].tobytes()
            for frame in video
            for i in range(6)
            for j in range(6)
            if frame[i : i + 8, j : j + 8].sum() == frame.sum()
        }
        # All its ink in a window of 8x8, and in one of them the data set's.
        assert ink & digits
    np.testing.assert_allclose(
        x.sum((2, 3, 4)), np.broadcast_to(x[:, :1].sum((2, 3, 4)), (50, 30))
    )


def test_digits_move_and_bounce():
    room = 16
    x = moving_digits(40, num_frames=80, size=8 + room)
    for video in x:
        place = corners(video)
        steps = np.diff(place, axis=0)
        # 2.5 pixels, rounded up.
        assert np.abs(steps).max() <= 3
        assert (np.abs(steps).sum(1) > 0).mean() > 0.8
        # 80 steps of a pixel or more cross the room several times.
        fast = np.ptp(place, axis=0).argmax()
        assert room - 2 <= np.ptp(place[:, fast]) <= room
        signs = np.sign(steps[:, fast])
        signs = signs[signs != 0]
        turns = np.count_nonzero(np.diff(signs))
        assert 1 <= turns <= 80 * 2.5 / room + 1


def test_digits_move_on_a_line_between_walls():
    """Where neither coordinate turns back, the path is straight."""
    x = moving_digits(30, num_frames=20, size=60)
    straight = 0
    for video in x:
        steps = np.diff(corners(video), axis=0)
        if ((steps >= 0).all(0) | (steps <= 0).all(0)).all():
            straight += 1
            line = np.outer(np.arange(1, 20), steps.mean(0))
            # Of rounding at both ends and on the way.
            assert np.abs(np.cumsum(steps, axis=0) - line).max() <= 1.5
    assert straight > 5


@pytest.mark.parametrize(
    "make, argument, value",
    [
        (waveforms, "num", 0),
        (waveforms, "length", 2.5),
        (waveforms, "seed", -1),
        (moving_digits, "num", -3),
        (moving_digits, "num_frames", 0),
        (moving_digits, "size", 8),
        (moving_digits, "seed", None),
    ],
)
def test_bad_arguments(make, argument, value):
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: {argument}"):
        make(**{"num": 2, argument: value})
