"""An exported model gives what the model gives, and may be shipped."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae import export_model
from keras_vae.serving.c_runtime import CRuntime
from keras_vae.serving.verify import verify_version
from tests.conformance import table
from tests.serving import guide

ROWS = table.MODELS | table.VARIANTS


@pytest.fixture(scope="module")
def c_runtime():
    """One process for all rows, as starting it takes a second."""
    with CRuntime() as runtime:
        yield runtime


def ones(spec):
    """Codes or indices of a batch of five."""
    return np.ones([size or 5 for size in spec.shape], spec.dtype.name)


@pytest.mark.parametrize("name", ROWS)
def test_export_and_reload(name, tmp_path, c_runtime):
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

    found = verify_version(version, c_runtime)
    assert set(found) == set(signatures)
    for signature in found.values():
        # Only these have no batch axis.
        scalars = {"num", "num_samples", "num_steps", "dt", "seed"}
        batched = not scalars & set(signature.inputs)
        assert (signature.batching_obstacle is None) == batched

    if name in guide.REQUESTS:
        check_requests_of_the_guide(name, found, served, arguments)


def check_requests_of_the_guide(name, signatures, served, data):
    def predict(signature, version_label=None, **inputs):
        return guide.answer(
            signatures[signature], served.signatures[signature], inputs
        )

    used = guide.send_requests(
        name, lambda model, *args, **inputs: predict(*args, **inputs), **data
    )
    # `serving_default` is the alias of another, or used.
    assert used | {"serving_default"} == set(signatures)


def test_guide_has_requests_for_every_kind_of_model():
    assert set(guide.REQUESTS) <= set(table.MODELS)
    exported = {
        cls.export_signatures
        for cls in table.public_classes().values()
        if hasattr(cls, "export_signatures")
    }
    shown = {type(table.MODELS[k].make()) for k in guide.REQUESTS}
    assert {cls.export_signatures for cls in shown} == exported
