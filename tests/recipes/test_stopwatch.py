"""Functions side by side."""

import time

import pytest

from recipes import stopwatch


def test_medians_of_turns_without_the_first():
    calls = []

    def short():
        calls.append("short")
        # Tracing is not counted.
        time.sleep(0.2 if len(calls) == 1 else 0.01)

    def long():
        calls.append("long")
        time.sleep(0.05)

    seconds = stopwatch.median_seconds([short, long], rounds=3)
    assert calls == ["short", "long"] * 4
    assert seconds[0] == pytest.approx(0.01, abs=0.03)
    assert seconds[1] >= 0.05
