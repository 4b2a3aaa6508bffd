"""Two replicas train exactly like one, ragged and empty shards included."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance import table

ROWS = table.MODELS | table.VARIANTS


@pytest.mark.parametrize("name", ROWS)
def test_weights_are_equal(name, mirrored):
    row = ROWS[name]
    weights, histories = [], []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            model = row.model()
            row.compile(model)
        # Batches of 4, 4 and 1: the last leaves a replica without examples.
        histories.append(row.fit(model, 9, batch_size=4))
        weights.append([keras.ops.convert_to_numpy(v) for v in model.weights])
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)
    for term in histories[0]:
        np.testing.assert_allclose(
            histories[1][term], histories[0][term], rtol=1e-5
        )
