import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.schedules import LinearWarmUp


def test_against_numpy():
    schedule = LinearWarmUp(100, start=0.5, end=2.0)
    steps = [0, 1, 50, 99, 100, 101, 10**6]
    np.testing.assert_allclose(
        [schedule(step) for step in steps],
        np.interp(steps, [0, 100], [0.5, 2.0]),
        rtol=1e-6,
    )


def test_may_fall():
    schedule = LinearWarmUp(10, start=1.0, end=0.0)
    np.testing.assert_allclose(
        [schedule(step) for step in (0, 5, 20)], [1.0, 0.5, 0.0]
    )


def test_takes_an_int64_tensor():
    value = tf.function(LinearWarmUp(4))(tf.constant(3, "int64"))
    assert value.dtype == tf.float32
    assert float(value) == 0.75


def test_far_beyond_the_end_is_the_end():
    value = LinearWarmUp(10**9)(tf.constant(2**62, "int64"))
    assert float(value) == 1.0


def test_config():
    schedule = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(LinearWarmUp(7, 0.1, 0.9))
    )
    assert schedule.get_config() == {"steps": 7, "start": 0.1, "end": 0.9}


@pytest.mark.parametrize("steps", [0, -1])
def test_steps_are_positive(steps):
    with pytest.raises(ValueError, match=f"Received: steps={steps}"):
        LinearWarmUp(steps)
