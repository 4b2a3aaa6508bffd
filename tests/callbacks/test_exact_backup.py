"""A run that was interrupted ends where an undisturbed one does."""

import contextlib
import pathlib
import shutil

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae.callbacks import ExactBackup
from keras_vae.callbacks import HistoryCSV
from keras_vae.callbacks import NonFiniteError
from keras_vae.callbacks import PosteriorCollapseAlarm
from tests.callbacks.models import tiny_vae


def state_of(model):
    variables = model.variables + model.optimizer.variables
    return [keras.ops.convert_to_numpy(v) for v in variables]


def assert_equal(some, others):
    assert len(some) == len(others)
    for a, b in zip(some, others):
        assert a.dtype == b.dtype
        # Bytes: also NaN, signed zero and types unknown to NumPy.
        assert np.ascontiguousarray(a).tobytes() == (
            np.ascontiguousarray(b).tobytes()
        )


def train(model, x, callbacks, epochs, initial_epoch=0):
    return model.fit(
        x,
        batch_size=32,
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )


class Killed(Exception):
    """Stands for the death of the process."""


class Kill(keras.callbacks.Callback):
    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.after:
            raise Killed


def run(x, folder, epochs, build, kill_after=None):
    """Trains as a new process would, resuming where it can.

    Returns the model, its history (None if killed) and the first epoch.
    """
    # Nothing but the backup may carry over.
    keras.utils.set_random_seed(int(np.random.default_rng().integers(1000)))
    model = build()
    callbacks = [
        keras.callbacks.EarlyStopping("loss", patience=3, min_delta=1000.0),
        keras.callbacks.ReduceLROnPlateau(
            "loss", patience=1, min_delta=1000.0, cooldown=2
        ),
        PosteriorCollapseAlarm(x, patience=100),
        HistoryCSV(folder / "history.csv"),
    ]
    backup = ExactBackup(folder / "backup", callbacks, keep=3)
    epoch = backup.restore(model)
    callbacks += [backup, Kill(kill_after)]
    try:
        return model, train(model, x, callbacks, epochs, epoch), epoch
    except Killed:
        return model, None, epoch


def test_continuation_is_bit_equal(digits, tmp_path):
    def build():
        return tiny_vae(dropout=0.3, run_eagerly=False)

    x = digits[:96]
    straight, straight_history, _ = run(x, tmp_path / "a", 10, build)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for epoch in (3, 4):
        (tmp_path / "b" / "backup" / f"epoch-0000000{epoch}.npz").unlink()
    # Early stopping (patience 3) ends both at the same epoch: its `wait`, and
    # the plateau's, must survive.
    _, _, epoch = run(x, tmp_path / "b", 10, build, kill_after=3)
    assert epoch == 2
    resumed, resumed_history, epoch = run(x, tmp_path / "b", 10, build)
    assert epoch == 3
    assert int(resumed.step) == 4 * 3
    assert_equal(state_of(straight), state_of(resumed))
    assert straight_history.epoch == resumed_history.epoch == [0, 1, 2, 3]
    assert straight_history.history == resumed_history.history
    assert straight_history.history["learning_rate"][-1] < 1e-3
    tables = [(tmp_path / f / "history.csv").read_text() for f in "ab"]
    assert tables[0] == tables[1]
    assert len(tables[0].splitlines()) == 1 + 4


def test_dropout_goes_on_with_its_own_noise(digits, tmp_path):
    """Without the seed generator's state the test above would be blind."""
    model = tiny_vae(dropout=0.3)
    train(model, digits[:96], [ExactBackup(tmp_path)], 1)
    other = tiny_vae(dropout=0.3)
    seeds = [
        [v for v in m.variables if "seed" in v.path] for m in (model, other)
    ]
    assert len(seeds[0]) == 1
    assert (seeds[0][0].numpy() != seeds[1][0].numpy()).any()
    ExactBackup(tmp_path).restore(other)
    np.testing.assert_array_equal(seeds[0][0].numpy(), seeds[1][0].numpy())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_bfloat16_survives(digits, tmp_path, policy):
    def build():
        keras.config.set_dtype_policy(policy)
        try:
            encoder = keras_vae.networks.mlp_encoder((8, 8, 1), (8,))
            decoder = keras_vae.networks.mlp_decoder(2, (8, 8, 1), (8,))
        finally:
            keras.config.set_dtype_policy("float32")
        model = keras_vae.VAE(encoder, decoder, 2, seed=0)
        model.build((None, 8, 8, 1))
        model.compile("adam", run_eagerly=True)
        return model

    first, _, _ = run(digits[:64], tmp_path, 1, build)
    dtypes = {str(v.dtype) for v in first.variables}
    assert ("bfloat16" in dtypes) == (policy == "bfloat16")
    second, _, epoch = run(digits[:64], tmp_path, 1, build)
    assert epoch == 1
    assert_equal(state_of(first), state_of(second))


def test_averaged_weights_are_swapped_back(digits, tmp_path):
    def fit(folder, kill_after=None):
        model = tiny_vae(optimizer=keras.optimizers.SGD(1e-3, use_ema=True))
        swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
        backup = ExactBackup(folder, [swap])
        epoch = backup.restore(model)
        callbacks = [swap, backup, Kill(kill_after)]
        with contextlib.suppress(Killed):
            train(model, digits[:64], callbacks, 3, epoch)
        return model

    fit(tmp_path / "a", kill_after=1)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    straight = fit(tmp_path / "a")
    fit(tmp_path / "b", kill_after=2)
    assert_equal(state_of(straight), state_of(fit(tmp_path / "b")))


def test_two_replicas(digits, tmp_path, mirrored):
    def build():
        with mirrored.scope():
            return tiny_vae(
                optimizer=keras.optimizers.SGD(1e-3, momentum=0.9),
                run_eagerly=False,
            )

    x = digits[:80]
    straight, _, _ = run(x, tmp_path, 2, build)
    # As if killed during the second epoch.
    (tmp_path / "backup" / "epoch-00000002.npz").unlink()
    resumed, _, epoch = run(x, tmp_path, 2, build)
    assert epoch == 1
    assert_equal(state_of(straight), state_of(resumed))
    for variable in resumed.trainable_variables:
        replicas = mirrored.experimental_local_results(variable.value)
        assert len(replicas) == 2
        np.testing.assert_array_equal(*(r.numpy() for r in replicas))


def test_all_optimizers_are_kept(digits, tmp_path):
    class Two(keras.Sequential):
        def optimizers(self):
            return {"optimizer": self.optimizer, "second": self.second}

    def build():
        model = Two([keras.Input((64,)), keras.layers.Dense(64)])
        model.compile("adam", "mse", run_eagerly=True)
        model.second = keras.optimizers.Adam()
        model.second.build(model.trainable_variables)
        return model

    x = digits[:32].reshape(32, 64)
    model = build()
    # A plain Keras model has no step of its own.
    for variable in model.second.variables:
        variable.assign(variable + 7)
    model.fit(x, x, verbose=0, callbacks=[ExactBackup(tmp_path)])
    other = build()
    assert ExactBackup(tmp_path).restore(other) == 1
    assert_equal(state_of(model), state_of(other))
    assert_equal(
        [v.numpy() for v in model.second.variables],
        [v.numpy() for v in other.second.variables],
    )
    assert int(other.second.iterations) == 7


def test_early_stopping_stays_stopped_with_its_best_weights(digits, tmp_path):
    def fit(folder, epochs):
        model = tiny_vae()
        stopping = keras.callbacks.EarlyStopping(
            "loss", patience=1, min_delta=1000.0, restore_best_weights=True
        )
        backup = ExactBackup(folder, [stopping])
        epoch = backup.restore(model)
        if backup.stopped:
            epochs = epoch
        history = train(model, digits[:64], [stopping, backup], epochs, epoch)
        return model, history, backup

    model, history, backup = fit(tmp_path, 9)
    assert history.epoch == [0, 1]
    assert not backup.stopped
    again, same, backup = fit(tmp_path, 9)
    assert backup.stopped
    assert same.epoch == [0, 1]
    # The weights, not the optimizer: those of the best epoch.
    assert_equal(model.get_weights(), again.get_weights())


def test_the_newest_are_kept(digits, tmp_path):
    model = tiny_vae()
    (tmp_path / ".draft-123-epoch-00000001.npz").touch()
    train(model, digits[:32], [ExactBackup(tmp_path, keep=2)], 4)
    assert [p.name for p in sorted(tmp_path.iterdir())] == [
        "epoch-00000003.npz",
        "epoch-00000004.npz",
    ]


def test_every_epochs(digits, tmp_path):
    backup = ExactBackup(tmp_path, every_epochs=2, keep=9)
    train(tiny_vae(), digits[:32], [backup], 5)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "epoch-00000002.npz",
        "epoch-00000004.npz",
    ]


def truncate(file):
    file.write_bytes(file.read_bytes()[:-100])


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def empty(file):
    file.write_bytes(b"")


def other_content(file):
    with open(file, "wb") as stream:
        np.savez(stream, np.frombuffer(b"{}", "uint8"))


@pytest.mark.parametrize("damage", [truncate, flip, empty, other_content])
def test_a_damaged_backup_falls_back(digits, tmp_path, damage):
    x = digits[:32]
    model = tiny_vae()
    train(model, x, [ExactBackup(tmp_path)], 1)
    expected = state_of(model)
    train(model, x, [restored_backup(tmp_path, model)], 2, 1)
    newest = tmp_path / "epoch-00000002.npz"
    damage(newest)
    other = tiny_vae()
    backup = ExactBackup(tmp_path)
    with pytest.warns(UserWarning, match=newest.name):
        assert backup.restore(other) == 1
    assert_equal(state_of(other), expected)
    # It goes on, and the damaged file is replaced.
    train(other, x, [backup], 2, 1)
    assert_equal(state_of(other), state_of(model))
    assert ExactBackup(tmp_path).restore(other) == 2


def restored_backup(path, model):
    backup = ExactBackup(path)
    backup.restore(model)
    return backup


def test_all_damaged(digits, tmp_path):
    train(tiny_vae(), digits[:32], [ExactBackup(tmp_path)], 1)
    empty(tmp_path / "epoch-00000001.npz")
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(ValueError, match="No backup is whole"),
    ):
        ExactBackup(tmp_path).restore(tiny_vae())


@pytest.mark.parametrize(
    "other",
    [{"units": 17}, {"latent_dim": 4}, {"optimizer": "sgd"}],
)
def test_another_model_is_refused_and_unchanged(digits, tmp_path, other):
    train(tiny_vae(), digits[:32], [ExactBackup(tmp_path)], 1)
    model = tiny_vae(**other)
    ExactBackup(tmp_path / "none").restore(model)
    model.optimizer.build(model.trainable_variables)
    before = state_of(model)
    with pytest.raises(ValueError, match="of another model") as error:
        ExactBackup(tmp_path).restore(model)
    assert "epoch-00000001.npz" in str(error.value)
    assert_equal(before, state_of(model))


def test_other_callbacks_are_refused(digits, tmp_path):
    train(tiny_vae(), digits[:32], [ExactBackup(tmp_path)], 1)
    backup = ExactBackup(tmp_path, [keras.callbacks.EarlyStopping()])
    with pytest.raises(ValueError, match="other `callbacks`"):
        backup.restore(tiny_vae())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_state_that_is_not_finite_is_never_written(digits, tmp_path, bad):
    model = tiny_vae()

    class Spoil(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                moment = self.model.optimizer.variables[-1]
                moment.assign(keras.ops.full_like(moment, bad))

    with pytest.raises(NonFiniteError, match="is not finite after epoch 2"):
        train(model, digits[:32], [Spoil(), ExactBackup(tmp_path)], 3)
    assert [p.name for p in tmp_path.iterdir()] == ["epoch-00000001.npz"]


def test_backups_of_another_run_are_not_overwritten(digits, tmp_path):
    train(tiny_vae(), digits[:32], [ExactBackup(tmp_path)], 2)
    files = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(ValueError, match="was not restored"):
        train(tiny_vae(), digits[:32], [ExactBackup(tmp_path)], 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == files


def test_callbacks_must_come_first(digits, tmp_path):
    stopping = keras.callbacks.EarlyStopping("loss")
    with pytest.raises(ValueError, match="must come before it"):
        train(
            tiny_vae(),
            digits[:32],
            [ExactBackup(tmp_path, [stopping]), stopping],
            1,
        )


def test_an_unbuilt_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be built"):
        ExactBackup(tmp_path).restore(keras.Sequential())


@pytest.mark.parametrize("name", ["every_epochs", "keep"])
def test_positive_arguments(tmp_path, name):
    with pytest.raises(ValueError, match=f"Received: {name}=0"):
        ExactBackup(tmp_path, **{name: 0})


def test_no_object_is_pickled(digits, tmp_path):
    train(tiny_vae(), digits[:32], [ExactBackup(tmp_path)], 1)
    file = pathlib.Path(tmp_path / "epoch-00000001.npz")
    with np.load(file, allow_pickle=False) as data:
        assert all(data[name].dtype == np.uint8 for name in data.files)
