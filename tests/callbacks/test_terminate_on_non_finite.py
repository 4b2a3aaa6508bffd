"""The guard names the cause, and nothing spoilt is saved."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.callbacks import ExactBackup
from keras_vae.callbacks import NonFiniteError
from keras_vae.callbacks import TerminateOnNonFinite
from tests.callbacks.models import tiny_vae


class Spoilt(keras_vae.TermModel):
    """Term `bad` is `value` in step `at`, or spoils only the gradient."""

    def __init__(self, at, value, **kwargs):
        super().__init__(**kwargs)
        self.at = at
        self.value = value
        self.add_term("good_loss", elbo=True)
        self.add_term("bad_loss", elbo=True)
        self.add_term("fine_loss", weight=0.0)

    def build(self, input_shape):
        self.w = self.add_weight(shape=(), name="w", initializer="ones")

    def call(self, x):
        return x

    def compute_terms(self, x, y, training):
        good = tf.reduce_sum(tf.square(self.w * x), axis=1)
        now = tf.logical_and(tf.equal(self.step, self.at), training)
        bad = tf.where(now, self.value, 0.0) * tf.ones_like(good)
        return {"good_loss": good, "bad_loss": bad, "fine_loss": good}


X = np.ones((60, 2), "float32")


def spoilt(at, value=np.nan, **kwargs):
    model = Spoilt(at, value, seed=0)
    model.compile(keras.optimizers.SGD(1e-3), jit_compile=False, **kwargs)
    return model


def fit(model, callbacks=(), **kwargs):
    kwargs = {"batch_size": 6, "epochs": 3, "verbose": 0, **kwargs}
    return model.fit(X, callbacks=list(callbacks), **kwargs)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 7, 10, 19])
def test_the_term_and_the_step(at, value):
    # Ten steps in each epoch; the epoch of step 19 ends with it.
    with pytest.raises(NonFiniteError) as error:
        fit(spoilt(at, value))
    assert error.value.names == ["bad_loss"]
    assert error.value.step == at
    epoch, batch = divmod(at, 10)
    assert str(error.value).startswith(
        f"bad_loss is not finite at step {at} "
        f"(epoch {epoch + 1}, batch {batch + 1})"
    )


def test_callbacks_that_make_keras_wait_change_nothing(tmp_path):
    """ModelCheckpoint turns Keras's threads off."""
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "last.keras")
    with pytest.raises(NonFiniteError) as error:
        fit(spoilt(at=13), [checkpoint])
    assert (error.value.names, error.value.step) == (["bad_loss"], 13)


def test_the_last_good_state_is_what_is_saved(tmp_path):
    files = tmp_path / "last.weights.h5", tmp_path / "backup"
    model = spoilt(at=15)
    with pytest.raises(NonFiniteError):
        fit(
            model,
            [
                keras.callbacks.ModelCheckpoint(
                    files[0], save_weights_only=True
                ),
                ExactBackup(files[1]),
            ],
        )
    other = spoilt(at=15)
    other.build((None, 2))
    other.load_weights(files[0])
    assert int(other.step) == 10
    assert ExactBackup(files[1]).restore(other) == 1
    assert int(other.step) == 10


def test_a_gradient_that_spoils_the_weights_in_the_last_step(tmp_path):
    class BadGradient(Spoilt):
        def compute_terms(self, x, y, training):
            terms = super().compute_terms(x, y, training)
            now = tf.equal(self.step, self.at)
            # sqrt has an infinite slope at 0.
            zero = tf.where(now, tf.sqrt(0.0 * self.w), 0.0)
            return {**terms, "good_loss": terms["good_loss"] + zero}

    model = BadGradient(9, 0.0, seed=0)
    model.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "last.keras")
    with pytest.raises(NonFiniteError, match="w is not finite at the end"):
        fit(model, [checkpoint])
    assert not (tmp_path / "last.keras").exists()


def test_validation_terms():
    class BadValidation(Spoilt):
        def compute_terms(self, x, y, training):
            terms = super().compute_terms(x, y, training)
            if not training:
                terms["bad_loss"] = terms["bad_loss"] + np.inf
            return terms

    model = BadValidation(-1, 0.0, seed=0)
    model.compile("sgd", jit_compile=False)
    with pytest.raises(NonFiniteError, match="^val_bad_loss is not finite"):
        fit(model, validation_data=(X, None))


def test_a_metric_of_the_user_may_be_nan():
    """Some are undefined on some data; they are no part of the objective."""
    guard = TerminateOnNonFinite()
    guard.set_model(spoilt(at=-1))
    guard.on_epoch_begin(0)
    guard.on_train_batch_end(0, {"loss": 1.0, "undefined": np.nan})
    with pytest.raises(NonFiniteError, match="^loss is not finite"):
        guard.on_train_batch_end(1, {"loss": np.nan, "undefined": np.nan})


def test_threads_that_finish_out_of_order_name_the_first_step():
    guard = TerminateOnNonFinite()
    model = spoilt(at=-1)
    guard.set_model(model)
    model.step.assign(100)
    guard.on_epoch_begin(2)
    steps = []
    for batch in (4, 6, 5):
        with pytest.raises(NonFiniteError) as error:
            guard.on_train_batch_end(batch, {"loss": np.nan})
        steps.append(error.value.step)
    assert steps == [104, 104, 104]
    guard.on_epoch_begin(3)
    guard.on_train_batch_end(0, {"loss": 1.0})


def test_a_plain_keras_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    x = X.copy()
    x[33] = np.inf
    with pytest.raises(NonFiniteError) as error:
        model.fit(
            x,
            x[:, :1],
            batch_size=6,
            shuffle=False,
            verbose=0,
            callbacks=[TerminateOnNonFinite()],
        )
    assert (error.value.names, error.value.step) == (["loss"], 5)


def test_a_good_training_is_let_alone(digits):
    history = tiny_vae().fit(digits[:64], verbose=0, epochs=2)
    assert np.isfinite(history.history["loss"]).all()


def test_two_replicas(mirrored):
    with mirrored.scope():
        model = spoilt(at=4)
    with pytest.raises(NonFiniteError) as error:
        fit(model)
    assert (error.value.names, error.value.step) == (["bad_loss"], 4)
