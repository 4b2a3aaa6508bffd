import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import dense_vae
from benchmarks.hand_written_loop import HandWrittenLoop


def test_it_trains_what_fit_trains():
    """Same data, same loss: from 543 nats, most of the way to 0."""
    x = np.ones((330, 28, 28, 1), "float32")
    batches = tf.data.Dataset.from_tensor_slices(x).batch(20)
    loop = HandWrittenLoop(x.shape[1:], 5, jit_compile=False)
    loss = loop.train(batches, steps_per_epoch=17, epochs=2)

    model = dense_vae.vae_for(x.shape[1:])
    model.compile(keras.optimizers.Adam(dense_vae.LEARNING_RATE))
    history = model.fit(batches, epochs=2, verbose=0).history

    assert loop.optimizer.iterations == 34
    assert loss < 100.0
    assert loss == pytest.approx(history["loss"][-1], rel=0.3)
    assert loop.logs.keys() == history.keys()
