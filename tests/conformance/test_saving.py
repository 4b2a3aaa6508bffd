"""A .keras file holds weights, optimizer, step, and what they predict."""

import keras
import numpy as np
import pytest

from keras_vae import random
from keras_vae.models import TermModel
from tests.conformance import table

ROWS = table.MODELS | table.VARIANTS | table.LAYERS


def predict(model, x):
    """What the model gives where its noise is known."""
    with random.noise_scope(random.Noise(random.as_seed(0))):
        return keras.ops.convert_to_numpy(model(x))


@pytest.mark.parametrize("name", ROWS)
def test_save_and_load(name, tmp_path):
    row = ROWS[name]
    model = row.model()
    row.compile(model)
    row.fit(model, 5, batch_size=4)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")

    assert len(restored.variables) == len(model.variables)
    for one, two in zip(restored.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, two, two.path)
    for one, two in zip(
        restored.optimizer.variables, model.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(one, two, two.path)
    x = row.inputs(3)
    np.testing.assert_array_equal(predict(restored, x), predict(model, x))
    if isinstance(model, TermModel):
        assert int(restored.step) == int(model.step) == 2
        # Noise, schedules and momentum go on where they were.
        assert row.fit(restored, 5, 4) == row.fit(model, 5, 4)
