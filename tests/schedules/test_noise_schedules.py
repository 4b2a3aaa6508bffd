import json

import keras
import numpy as np
import pytest

from keras_vae import schedules
from keras_vae.schedules import CosineNoise
from keras_vae.schedules import LinearNoise
from keras_vae.schedules import NoiseSchedule
from keras_vae.schedules import TabulatedNoise


@keras.saving.register_keras_serializable(package="test_noise_schedules")
class Doubling(NoiseSchedule):
    """A user's own: every beta twice the one before."""

    def __init__(self, start):
        self.start = start

    def compute(self, num_steps):
        return self.start * 2.0 ** np.arange(num_steps)

    def get_config(self):
        return {"start": self.start}


def test_linear_is_that_of_the_paper():
    schedule = LinearNoise()
    betas = schedule.betas(1000)
    assert betas.dtype == np.float64
    np.testing.assert_allclose(betas[[0, -1]], [1e-4, 0.02], rtol=1e-12)
    np.testing.assert_allclose(np.diff(betas), np.diff(betas)[0], rtol=1e-6)
    np.testing.assert_allclose(
        schedule.alpha_bars(1000)[-1], 4.04e-5, rtol=1e-2
    )
    # The ends stay where they are.
    np.testing.assert_allclose(schedule.betas(3), [1e-4, 0.01005, 0.02])


def test_cosine_against_numpy():
    steps = np.arange(51) / 50
    left = np.cos((steps + 0.008) / 1.008 * np.pi / 2) ** 2
    found = CosineNoise().alpha_bars(50)
    np.testing.assert_allclose(found[:-1], left[1:-1] / left[0], rtol=1e-10)
    # The last beta would be 1.
    np.testing.assert_allclose(found[-1], found[-2] * 0.001, rtol=1e-6)
    assert CosineNoise().betas(1000).max() == 0.999


@pytest.mark.parametrize("num_steps", [1, 2, 1000])
@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_alpha_bars_fall(name, num_steps):
    schedule = schedules.get_noise(name)
    alpha_bars = schedule.alpha_bars(num_steps)
    assert alpha_bars.shape == (num_steps,)
    assert np.all(np.diff(alpha_bars, prepend=1.0) < 0) and alpha_bars[-1] > 0
    np.testing.assert_allclose(
        alpha_bars, np.cumprod(1 - schedule.betas(num_steps)), rtol=1e-9
    )


def test_betas_or_alpha_bars_that_are_given():
    betas = np.array([0.1, 0.5, 0.9])
    for schedule in (
        schedules.get_noise(betas),
        schedules.get_noise(betas.tolist()),
        TabulatedNoise.from_alpha_bars([0.9, 0.45, 0.045]),
    ):
        np.testing.assert_allclose(schedule.betas(3), betas, rtol=1e-12)
    with pytest.raises(ValueError, match="`num_steps`.*3.*num_steps=4"):
        schedule.betas(4)


def test_a_schedule_of_one_s_own_is_checked():
    schedule = schedules.get_noise(Doubling(0.1))
    np.testing.assert_allclose(schedule.betas(3), [0.1, 0.2, 0.4])
    with pytest.raises(ValueError, match=r"\(0, 1\).*1.6 at step 5 of 6"):
        schedule.betas(6)

    class Wrong(NoiseSchedule):
        def compute(self, num_steps):
            return np.full(num_steps + 1, 0.5)

    with pytest.raises(ValueError, match="a beta for each step"):
        Wrong().betas(2)


@pytest.mark.parametrize(
    "schedule",
    [
        LinearNoise(0.01, 0.3),
        CosineNoise(0.1, 0.9),
        TabulatedNoise([0.25, 0.75]),
        Doubling(0.125),
    ],
)
def test_config(schedule):
    config = json.loads(
        json.dumps(keras.saving.serialize_keras_object(schedule))
    )
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is type(schedule)
    np.testing.assert_array_equal(copy.betas(2), schedule.betas(2))


@pytest.mark.parametrize("num_steps", [0, -1, 1.5, None])
def test_number_of_steps(num_steps):
    with pytest.raises(ValueError, match=f"Received: num_steps={num_steps}"):
        LinearNoise().betas(num_steps)


@pytest.mark.parametrize(
    "betas", [[0.0], [0.5, 1.0], [0.5, -0.1], [np.nan], [], [[0.5]]]
)
def test_bad_betas(betas):
    with pytest.raises(ValueError, match="`betas` must.*Received: betas"):
        TabulatedNoise(betas)


@pytest.mark.parametrize(
    "alpha_bars", [[1.0], [0.5, 0.5], [0.5, 0.6], [0.5, 0.0], [np.nan]]
)
def test_bad_alpha_bars(alpha_bars):
    with pytest.raises(ValueError, match="`alpha_bars` must fall"):
        TabulatedNoise.from_alpha_bars(alpha_bars)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearNoise(start=0.0), "`start`.*start=0.0"),
        (lambda: LinearNoise(end=1.0), "`end`.*end=1.0"),
        (lambda: CosineNoise(offset=0.0), "`offset`.*offset=0.0"),
        (lambda: CosineNoise(max_beta=1.0), "`max_beta`.*max_beta=1.0"),
        (
            lambda: schedules.get_noise("cosin"),
            "`noise_schedule`.*'cosine', 'linear'.*'cosin'",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
