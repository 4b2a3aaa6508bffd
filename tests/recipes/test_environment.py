"""What a result says of its machine."""

import os

from recipes import environment


def test_cores_where_the_system_does_not_tell(monkeypatch):
    assert environment.environment()["cores"] >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert environment.environment()["cores"] == 7
