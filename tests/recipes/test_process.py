"""How the processes of a run part."""

import pytest
import tensorflow as tf

from recipes import process

LOST = tf.errors.UnavailableError(None, None, "Connection reset by peer")


def parting(monkeypatch, *outcomes):
    """Calls `part`; the number of meetings it held."""
    met = []

    def meet(strategy):
        met.append(strategy)
        if outcomes[len(met) - 1] is not None:
            raise outcomes[len(met) - 1]

    monkeypatch.setattr(process, "meet", meet)
    process.part("strategy")
    return len(met)


def test_whoever_leaves_first_disturbs_nobody(monkeypatch):
    assert parting(monkeypatch, None, None) == 2
    assert parting(monkeypatch, None, LOST) == 2


def test_a_worker_that_never_came_is_an_error(monkeypatch):
    with pytest.raises(tf.errors.UnavailableError):
        parting(monkeypatch, LOST)


def test_other_errors_are_not_hidden(monkeypatch):
    with pytest.raises(KeyError):
        parting(monkeypatch, None, KeyError())
