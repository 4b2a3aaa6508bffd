"""Terms, weights, steps and noise of the base class."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.callbacks import NonFiniteError
from keras_vae.models.base import TermModel


@keras.saving.register_keras_serializable(package="keras_vae_tests")
class TwoTerms(TermModel):
    """square (elbo), noise (elbo, weight by argument), constant (batch)."""

    def __init__(self, weight=1.0, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight
        self.dense = keras.layers.Dense(1)
        self.add_term("square", elbo=True)
        self.add_term("noise", weight=weight, elbo=True)
        self.add_term("constant", weight=0.25)

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, x, training=False):
        return self.dense(x)

    def compute_terms(self, x, y, training):
        rows = tf.shape(x)[0]
        noise = keras_vae.random.current_noise().normal([rows])
        return {
            "square": tf.reduce_sum(self.dense(x) ** 2, axis=1),
            "noise": noise,
            "constant": tf.constant(8.0),
        }


def compiled(model, **kwargs):
    model.compile(keras.optimizers.SGD(0.0), **kwargs)
    return model


X = np.linspace(-1.0, 1.0, 24).reshape(12, 2).astype("float32")


def test_loss_is_the_weighted_sum_and_neg_elbo_the_plain_one():
    model = compiled(TwoTerms(weight=3.0, seed=0))
    logs = model.evaluate(X, batch_size=5, verbose=0, return_dict=True)
    assert list(logs) == [
        "loss",
        "square",
        "noise",
        "constant",
        "neg_elbo",
    ] or (set(logs) == {"loss", "square", "noise", "constant", "neg_elbo"})
    assert logs["neg_elbo"] == pytest.approx(logs["square"] + logs["noise"])
    assert logs["loss"] == pytest.approx(
        logs["square"] + 3.0 * logs["noise"] + 0.25 * 8.0, rel=1e-5
    )
    assert logs["constant"] == pytest.approx(8.0)
    square = np.mean(model(X).numpy() ** 2)
    assert logs["square"] == pytest.approx(square, rel=1e-5)


def test_schedule_is_evaluated_at_the_saved_step(tmp_path):
    warm_up = keras_vae.schedules.LinearWarmUp(8)
    model = compiled(TwoTerms(weight=warm_up, seed=0))
    losses = []

    def weight_of(logs):
        return (logs["loss"] - logs["square"] - 2.0) / logs["noise"]

    for _ in range(3):
        logs = model.train_on_batch(X, return_dict=True)
        losses.append(weight_of(logs))
    np.testing.assert_allclose(losses, [0.0, 0.125, 0.25], atol=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert int(again.step) == 3
    again.compile(keras.optimizers.SGD(0.0))
    logs = again.train_on_batch(X, return_dict=True)
    assert weight_of(logs) == pytest.approx(0.375, abs=1e-4)
    # The schedule has not moved neg_elbo.
    assert logs["neg_elbo"] == pytest.approx(logs["square"] + logs["noise"])


def test_noise_differs_between_steps_and_evaluations_agree():
    model = compiled(TwoTerms(seed=0))
    noise = [model.train_on_batch(X, return_dict=True)["noise"] for _ in "ab"]
    assert abs(noise[0] - noise[1]) > 1e-3
    first, second = (
        model.evaluate(X, batch_size=4, verbose=0, return_dict=True)
        for _ in "ab"
    )
    assert first == second
    assert abs(first["noise"] - noise[0]) > 1e-3
    twice = np.concatenate([X[:4], X[:4]])
    one, two = (
        model.evaluate(x, batch_size=4, verbose=0, return_dict=True)["noise"]
        for x in (X[:4], twice)
    )
    assert abs(one - two) > 1e-3


def test_sites_and_seeds_draw_different_noise():
    draws = {}
    for seed in (0, 1):
        noise = keras_vae.random.Noise(
            keras_vae.random.step_seed(seed, "train", 4)
        )
        draws[seed] = [noise.normal([1000]).numpy() for _ in "ab"]
    for a, b in ((draws[0][0], draws[0][1]), (draws[0][0], draws[1][0])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.15
    assert abs(draws[0][0].mean()) < 0.15
    assert draws[0][0].std() == pytest.approx(1.0, abs=0.1)


def test_sample_weight_is_a_weighted_mean():
    model = compiled(TwoTerms(weight=0.0, seed=0))
    weight = np.arange(12, dtype="float32")
    logs = model.evaluate(
        X, sample_weight=weight, batch_size=5, verbose=0, return_dict=True
    )
    squares = model(X).numpy()[:, 0] ** 2
    assert logs["square"] == pytest.approx(
        np.average(squares, weights=weight), rel=1e-5
    )


def test_wrong_terms_are_an_error():
    class Forgetful(TwoTerms):
        def compute_terms(self, x, y, training):
            terms = super().compute_terms(x, y, training)
            terms["sqare"] = terms.pop("square")
            return terms

    with pytest.raises(ValueError, match="sqare"):
        compiled(Forgetful()).train_on_batch(X)
    with pytest.raises(ValueError, match="unique"):
        TwoTerms().add_term("square")
    with pytest.raises(ValueError, match="LearningRateSchedule"):
        TwoTerms().add_term("other", weight="heavy")
    with pytest.raises(ValueError, match="add_group"):
        TwoTerms().add_term("other", group="critic")


def test_compiled_with_a_loss_is_an_error():
    model = TwoTerms()
    model.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match="own objective"):
        model.fit(X)


def test_regularization_is_added_and_logged():
    model = TwoTerms(weight=0.0, seed=0)
    model.dense = keras.layers.Dense(1, kernel_regularizer="l2")
    logs = compiled(model).evaluate(X, verbose=0, return_dict=True)
    expected = 0.01 * np.sum(model.dense.kernel.numpy() ** 2)
    assert logs["regularization_loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["loss"] == pytest.approx(
        logs["square"] + 2.0 + expected, rel=1e-5
    )


def test_metrics_given_to_compile_see_the_reconstruction(binary_digits):
    model = small_vae()
    model.compile("sgd", metrics=["mse"])
    logs = model.evaluate(binary_digits[:20], verbose=0, return_dict=True)
    expected = np.mean(
        (model.reconstruct(binary_digits[:20]) - binary_digits[:20]) ** 2
    )
    assert logs["mse"] == pytest.approx(expected, rel=1e-4)


def small_vae(**kwargs):
    encoder = keras_vae.networks.mlp_encoder((8, 8, 1), units=(16,))
    decoder = keras_vae.networks.mlp_decoder(2, (8, 8, 1), units=(16,))
    return keras_vae.VAE(encoder, decoder, 2, **kwargs)


def test_nan_stops_at_its_term_and_step(binary_digits):
    @keras.saving.register_keras_serializable(package="keras_vae_tests")
    class Poisoned(TwoTerms):
        def compute_terms(self, x, y, training):
            terms = super().compute_terms(x, y, training)
            bad = tf.equal(self.step, 5)
            terms["noise"] += tf.where(bad, np.nan, 0.0)
            return terms

    model = compiled(Poisoned(seed=0))
    with pytest.raises(NonFiniteError, match="noise is not finite at step 5"):
        model.fit(X, batch_size=4, epochs=4, verbose=0)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_loss_scaling_and_mixed_precision_train(precision, binary_digits):
    keras.config.set_dtype_policy(precision)
    try:
        model = small_vae(seed=0)
        model.compile(keras.optimizers.Adam(1e-2))
        history = model.fit(binary_digits, batch_size=64, epochs=3, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    losses = history.history["loss"]
    assert np.all(np.isfinite(losses))
    assert losses[-1] < losses[0] - 5.0
    assert model.encode(binary_digits[:3]).dtype == "float32"
    assert model.reconstruct(binary_digits[:3]).dtype == "float32"


def test_xla_is_chosen_by_what_is_faster(monkeypatch, mirrored):
    monkeypatch.undo()  # The tests as a whole leave XLA out, for speed.
    if len(tf.config.list_physical_devices()) > 1:
        pytest.skip("The policy is that of machines without an accelerator.")
    dense = small_vae()
    dense.compile("sgd")
    assert dense.jit_compile
    encoder = keras_vae.networks.conv_encoder((8, 8, 1), filters=(4,))
    decoder = keras_vae.networks.mlp_decoder(2, (8, 8, 1), units=(16,))
    convolutional = keras_vae.VAE(encoder, decoder, 2)
    convolutional.compile("sgd")
    assert not convolutional.jit_compile
    with mirrored.scope():
        replicated = small_vae()
        replicated.compile("sgd")
    assert not replicated.jit_compile


@pytest.mark.parametrize(
    ("precision", "units", "expected"),
    [
        ("mixed_bfloat16", 8, True),
        ("mixed_bfloat16", 400, False),
        ("float32", 400, True),
    ],
)
def test_xla_has_no_fast_half_precision(
    precision, units, expected, monkeypatch
):
    monkeypatch.undo()  # As above.
    if len(tf.config.list_physical_devices()) > 1:
        pytest.skip("The policy is that of machines without an accelerator.")
    keras.config.set_dtype_policy(precision)
    try:
        model = keras_vae.VAE(
            keras_vae.networks.mlp_encoder((8, 8, 1), (units, units)),
            keras_vae.networks.mlp_decoder(2, (8, 8, 1), (units, units)),
            2,
        )
        model.compile("sgd")
        assert model.jit_compile is expected
        # What has no weights before it sees data is looked at again.
        unbuilt = keras_vae.Autoencoder(
            *(
                keras.Sequential([keras.layers.Dense(n), *layers])
                for n, layers in (
                    (units * units, [keras.layers.Dense(2)]),
                    (units * units, [keras.layers.Dense(3)]),
                )
            )
        )
        unbuilt.compile("sgd")
        unbuilt.fit(np.zeros((2, 3), "float32"), verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert unbuilt.jit_compile is expected


def test_jit_and_eager_agree(binary_digits):
    results = []
    for kwargs in (
        {"jit_compile": False},
        {"run_eagerly": True},
        {"jit_compile": True},
    ):
        keras.utils.set_random_seed(0)
        model = small_vae(seed=0)
        model.compile(keras.optimizers.SGD(1e-3), **kwargs)
        model.fit(binary_digits[:64], batch_size=32, verbose=0, shuffle=False)
        results.append(model.decoder.get_weights()[0])
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)
    np.testing.assert_allclose(results[0], results[2], atol=1e-6)


def test_validation_data_keep_their_weights(binary_digits):
    x, weights = binary_digits[:6], np.arange(6.0)
    model = small_vae(seed=0)
    model.compile(keras.optimizers.SGD(0.0))
    expected = model.evaluate(
        x, sample_weight=weights, verbose=0, return_dict=True
    )
    plain = model.evaluate(x, verbose=0, return_dict=True)
    data = (x, None, weights)
    history = model.fit(x, validation_data=data, verbose=0).history
    assert history["val_loss"] == [pytest.approx(expected["loss"])]
    assert expected["loss"] != pytest.approx(plain["loss"])


class OfTheBatch(TwoTerms):
    """With a term of the whole batch in the bound."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.add_term("of_batch", elbo=True)

    def compute_terms(self, x, y, training):
        terms = super().compute_terms(x, y, training)
        return terms | {"of_batch": tf.constant(100.0)}


def test_a_term_of_the_batch_in_the_bound():
    model = compiled(OfTheBatch(seed=0))
    logs = model.evaluate(X, verbose=0, return_dict=True)
    total = logs["square"] + logs["noise"] + 100.0
    assert logs["neg_elbo"] == pytest.approx(total)


def test_evaluation_under_a_strategy_needs_no_optimizer_of_it(mirrored):
    with mirrored.scope():
        model = TwoTerms(seed=0)
        model.build((None, 2))
    # Its variables are of one device.
    model.compile()
    logs = model.evaluate(X, verbose=0, return_dict=True)
    alone = compiled(TwoTerms(seed=0))
    alone.build((None, 2))
    alone.set_weights(model.get_weights())
    expected = alone.evaluate(X, verbose=0, return_dict=True)
    assert logs == pytest.approx(expected, rel=1e-5)
