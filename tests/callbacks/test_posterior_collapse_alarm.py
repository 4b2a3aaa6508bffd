"""The alarm names what is known to have collapsed."""

import warnings

import keras
import numpy as np
import pytest

from keras_vae.callbacks import PosteriorCollapseAlarm
from tests.callbacks.models import tiny_vae


class Encoder:
    """Units named in `dead` do not depend on x."""

    def __init__(self, dead, latent_dim=4):
        self.dead = dead
        self.latent_dim = latent_dim

    def encode(self, x):
        codes = np.repeat(x, self.latent_dim, axis=1)
        codes[:, self.dead] = 3.0
        return codes


X = np.linspace(-1.0, 1.0, 20)[:, None]


def alarm_of(patience=2, **kwargs):
    alarm = PosteriorCollapseAlarm(X, patience=patience, **kwargs)
    alarm.on_train_begin()
    return alarm


def epoch(alarm, number, dead):
    """Logs and messages of one epoch."""
    alarm.set_model(Encoder(dead))
    logs = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        alarm.on_epoch_end(number, logs)
    return logs, [str(w.message) for w in caught]


def test_units_and_remedy_after_patience():
    alarm = alarm_of(patience=3)
    for number in range(2):
        logs, messages = epoch(alarm, number, [1, 3])
        assert logs == {"active_units": 2}
        assert messages == []
    _, (message,) = epoch(alarm, 2, [1, 3])
    assert "epoch 3: 2 of 4 latent units are inactive: [1, 3]" in message
    for remedy in ("`beta=` takes a schedule", "free bits", "`latent_dim`"):
        assert remedy in message
    assert epoch(alarm, 3, [1, 3])[1] == []


def test_a_unit_that_recovers_in_time_starts_again():
    alarm = alarm_of(patience=2)
    for number, dead in enumerate([[0], [], [0], [1], [0]]):
        assert epoch(alarm, number, dead)[1] == []


def test_all_units():
    alarm = alarm_of(patience=2)
    assert epoch(alarm, 0, [0, 1, 2, 3])[1] == []
    _, (message,) = epoch(alarm, 1, [0, 1, 2, 3])
    assert "ALL 4 latent units are inactive" in message
    assert "decoder ignores the code" in message


def test_some_then_all_then_recovery_then_some():
    alarm = alarm_of(patience=1)
    counts = [
        len(epoch(alarm, number, dead)[1])
        for number, dead in enumerate(
            [[0], [0, 1], [0, 1, 2, 3], [0, 1, 2, 3], [1], [], [2]]
        )
    ]
    assert counts == [1, 0, 1, 0, 0, 0, 1]


def test_every_epochs():
    alarm = alarm_of(patience=2, every=2)
    results = [epoch(alarm, number, [0]) for number in range(4)]
    assert [logs for logs, _ in results] == [
        {},
        {"active_units": 3},
        {},
        {"active_units": 3},
    ]
    assert [len(messages) for _, messages in results] == [0, 0, 0, 1]


def test_the_state_goes_on():
    first, second = alarm_of(patience=2), alarm_of(patience=2)
    epoch(first, 0, [0])
    second.set_state(first.get_state())
    assert len(epoch(second, 1, [0])[1]) == 1


@pytest.mark.parametrize("definition", ["variance", "kl"])
def test_a_trained_model_without_reason_to_use_its_code(digits, definition):
    """With a KL this heavy the posterior is the prior."""
    model = tiny_vae(
        beta=1e3, optimizer=keras.optimizers.Adam(0.05), run_eagerly=False
    )
    alarm = PosteriorCollapseAlarm(
        digits[:100], patience=3, every=5, definition=definition
    )
    with pytest.warns(UserWarning, match="ALL 3 latent units"):
        history = model.fit(
            digits[:256], epochs=20, verbose=0, callbacks=[alarm]
        )
    assert history.history["active_units"] == [0] * 4


@pytest.mark.parametrize("name", ["every", "patience"])
def test_positive_arguments(name):
    with pytest.raises(ValueError, match=f"Received: {name}=0"):
        PosteriorCollapseAlarm(X, **{name: 0})
