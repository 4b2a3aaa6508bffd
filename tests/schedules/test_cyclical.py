import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.schedules import Cyclical


def test_against_numpy():
    schedule = Cyclical(10, rising=0.4, cycles=2, start=0.5, end=2.5)
    steps = np.arange(30)
    expected = 0.5 + 2.0 * np.minimum(steps % 10 / 4, 1.0)
    expected[20:] = 2.5
    np.testing.assert_allclose([schedule(step) for step in steps], expected)


def test_never_ends_without_a_number_of_cycles():
    step = tf.constant(7 * 10**15 + 2, "int64")
    assert float(Cyclical(10)(step)) == pytest.approx(0.4)


def test_config():
    schedule = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(Cyclical(7, 0.3, 2, 0.1, 0.9))
    )
    assert schedule.get_config() == Cyclical(7, 0.3, 2, 0.1, 0.9).get_config()


@pytest.mark.parametrize(
    ("argument", "kwargs"),
    [
        ("steps", {"steps": 0}),
        ("cycles", {"cycles": 0}),
        ("rising", {"rising": 1.5}),
    ],
)
def test_bad_arguments(argument, kwargs):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        Cyclical(**{"steps": 5, **kwargs})
