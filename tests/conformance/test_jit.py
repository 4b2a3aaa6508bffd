"""XLA trains like no XLA."""

import pytest

from tests.conformance import table

ROWS = table.MODELS | table.LAYERS


@pytest.mark.parametrize("name", ROWS)
def test_losses_are_equal(name):
    row = ROWS[name]
    histories = []
    for jit_compile in (False, True):
        model = row.model()
        row.compile(model, jit_compile=jit_compile)
        assert model.jit_compile is jit_compile
        # The second step sees what the first has done.
        histories.append(row.fit(model, 8, batch_size=4))
    plain, compiled = histories
    assert compiled.keys() == plain.keys()
    for term in plain:
        assert compiled[term] == pytest.approx(plain[term], rel=1e-4, abs=1e-6)
