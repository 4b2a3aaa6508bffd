import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import dense_vae
from benchmarks import td_vae
from benchmarks.hand_written_loop import HandWrittenLoop


def test_it_trains_what_fit_trains():
    """Same data, same loss: from 543 nats, most of the way to 0."""
    x = np.ones((330, 28, 28, 1), "float32")
    batches = tf.data.Dataset.from_tensor_slices(x).batch(20)
    objective = dense_vae.Objective(x.shape[1:])
    loop = HandWrittenLoop(objective, 5, jit_compile=False)
    loss = loop.train(batches, steps_per_epoch=17, epochs=2)

    model = dense_vae.model_for(x.shape[1:])
    model.compile(keras.optimizers.Adam(dense_vae.LEARNING_RATE))
    history = model.fit(batches, epochs=2, verbose=0).history

    assert loop.optimizer.iterations == 34
    assert loss < 100.0
    assert loss == pytest.approx(history["loss"][-1], rel=0.3)
    assert loop.logs.keys() == history.keys()


def test_it_has_the_objective_of_a_td_vae():
    """As many weights, and the same loss after the same training."""
    arrays = td_vae.arrays(200)
    batches = tf.data.Dataset.from_tensor_slices(
        arrays.x_train.astype("float32")
    ).batch(50)
    shape = arrays.x_train.shape[1:]
    objective = td_vae.Objective(shape)
    loop = HandWrittenLoop(objective, 4, jit_compile=False)
    loss = loop.train(batches, steps_per_epoch=4, epochs=5)
    model = td_vae.model_for(shape)
    model.compile(
        keras.optimizers.Adam(td_vae.LEARNING_RATE), jit_compile=False
    )
    history = model.fit(batches, epochs=5, verbose=0).history
    assert model.count_params() - 1 == sum(
        np.prod(v.shape) for v in objective.variables
    )
    assert loss == pytest.approx(history["loss"][-1], rel=0.05)
    assert loop.logs.keys() == history.keys()
