"""The signatures of an exported model give what its methods give."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae import export_model
from tests.conformance import table

ROWS = table.MODELS | table.VARIANTS


def ones(spec):
    """Codes or indices of a batch of five."""
    return np.ones([size or 5 for size in spec.shape], spec.dtype.name)


@pytest.mark.parametrize("name", ROWS)
def test_export_and_reload(name, tmp_path):
    row = ROWS[name]
    model = row.model()
    x = row.inputs(5)
    version = export_model(model, tmp_path)
    served = tf.saved_model.load(version)
    arguments = {
        **(x if isinstance(x, dict) else {"x": x}),
        # As many as `ones` gives, for samples given a label.
        "num": np.int32(5),
        "num_samples": np.int32(3),
        "seed": np.array([1, 2], "int32"),
    }
    signatures = model.export_signatures()
    assert set(served.signatures) == set(signatures)
    assert "serving_default" in signatures
    for signature, (function, specs) in signatures.items():
        inputs = {
            spec.name: tf.constant(arguments.get(spec.name, ones(spec)))
            for spec in specs
        }
        outputs = served.signatures[signature](**inputs)
        expected = function(*inputs.values())
        assert set(outputs) == set(expected)
        for output, value in expected.items():
            np.testing.assert_allclose(
                outputs[output], value, rtol=1e-4, atol=1e-5
            )
            assert np.all(np.isfinite(value))
