"""The objective by hand, when it corrupts, pairs, emphasis, limits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import layers
from keras_vae import likelihoods
from keras_vae import random

EVENT = (4, 4, 1)
NOISE = {
    "masking": lambda: layers.MaskingNoise(0.4),
    "salt and pepper": lambda: layers.SaltAndPepperNoise(0.4),
    "gaussian": lambda: layers.AdditiveGaussianNoise(0.4),
}


@pytest.fixture
def x(digits):
    return digits[:12, 2:6, 2:6]


def networks():
    """The same weights at each call."""
    keras.utils.set_random_seed(1)
    return (
        keras_vae.networks.mlp_encoder(EVENT, units=(6,), activation="tanh"),
        keras_vae.networks.mlp_decoder(6, EVENT, units=(5,)),
    )


def dae(likelihood="bernoulli", cls=keras_vae.DenoisingAutoencoder, **kwargs):
    model = cls(*networks(), likelihood, seed=5, **kwargs)
    model.build((None, *EVENT))
    return model


def fit(model, x, y=None):
    """The losses of three steps."""
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9))
    return model.fit(x, y, batch_size=4, shuffle=False, verbose=0).history


def terms(model, x, y=None, seed=0):
    with random.noise_scope(random.Noise(random.as_seed(seed))):
        y = None if y is None else tf.constant(y)
        values = model.compute_terms(tf.constant(x), y, training=True)
    return np.asarray(values["reconstruction_loss"])


def by_hand(model, x_tilde, target, weights=1.0):
    """Cross-entropy of the networks in float64, for one tanh layer each."""

    def dense(h, layer):
        kernel, bias = (np.asarray(w, "float64") for w in layer.weights)
        return h @ kernel + bias

    h = np.reshape(np.asarray(x_tilde, "float64"), (len(x_tilde), -1))
    h = np.tanh(dense(h, model.encoder.layers[-1]))
    first, last = (v for v in model.decoder.layers if v.weights)
    logits = dense(np.maximum(dense(h, first), 0), last).reshape(target.shape)
    losses = np.logaddexp(0, logits) - target * logits
    return np.sum(weights * losses, axis=(1, 2, 3))


def assert_equal_weights(one, two):
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.fixture(params=NOISE)
def noise(request):
    return NOISE[request.param]()


def test_the_loss_is_against_the_clean_data(noise, x):
    model = dae(corruption=noise)
    x_tilde, mask = model.corrupt(x, seed=3)
    assert np.any(x_tilde != x)
    value = terms(model, x, seed=3)
    np.testing.assert_allclose(value, by_hand(model, x_tilde, x), rtol=1e-5)


def test_emphasis_by_hand(noise, x):
    weights = {"corrupted_weight": 3.0, "clean_weight": 0.5}
    model = dae(corruption=noise, **weights)
    x_tilde, mask = model.corrupt(x, seed=3)
    value = terms(model, x, seed=3)
    expected = by_hand(model, x_tilde, x, np.where(mask, 3.0, 0.5))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_full_emphasis_ignores_clean_elements(x):
    noise = layers.MaskingNoise(0.4)
    model = dae(corruption=noise, clean_weight=0.0)
    x_tilde, mask = model.corrupt(x, seed=3)
    # Other clean elements, the same loss.
    target = np.where(mask, x, 1 - x)
    np.testing.assert_allclose(
        terms(model, x, seed=3),
        by_hand(model, x_tilde, target, np.where(mask, 1.0, 0.0)),
        rtol=1e-5,
    )


def test_pairs_are_noisy_and_clean(x):
    noisy = np.where(x > 0.6, 0.0, x).astype("float32")
    weights = {"corrupted_weight": 2.0, "clean_weight": 0.5}
    for kwargs, factor in (({}, 1.0), (weights, np.where(x > 0.6, 2.0, 0.5))):
        model = dae(**kwargs)
        np.testing.assert_allclose(
            terms(model, noisy, x), by_hand(model, noisy, x, factor), rtol=1e-5
        )
    history = fit(model, noisy, x)
    assert history["loss"] == history["reconstruction_loss"]
    assert int(model.step) == 3


def test_pairs_and_a_corruption_add_up(x):
    noisy = np.where(x > 0.6, 0.0, x).astype("float32")
    model = dae(corruption=layers.MaskingNoise(0.3), corrupted_weight=2.0)
    x_tilde, mask = model.corrupt(noisy, seed=3)
    corrupted = np.logical_or(mask, x > 0.6)
    np.testing.assert_allclose(
        terms(model, noisy, x, seed=3),
        by_hand(model, x_tilde, x, np.where(corrupted, 2.0, 1.0)),
        rtol=1e-5,
    )


def test_noisy_inputs_may_leave_the_support(x):
    model = dae()
    model.compile("sgd")
    noisy = x + np.random.default_rng(0).normal(size=x.shape)
    history = model.fit(noisy.astype("float32"), x, verbose=0).history
    assert np.isfinite(history["loss"][0])
    with pytest.raises(ValueError, match="bernoulli likelihood takes `y`"):
        model.fit(x, noisy.astype("float32"), verbose=0)


def test_without_a_corruption_a_target_is_needed(x):
    model = dae()
    model.compile("sgd")
    message = r"fit\(x_noisy, x_clean\).*Received: corruption=None"
    with pytest.raises(ValueError, match=message):
        model.fit(x, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.fit(x, sample_weight=np.ones(len(x)), verbose=0)
    with pytest.raises(ValueError, match=message):
        model.evaluate(x, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.fit(x, x, validation_data=(x,), verbose=0)
    with pytest.raises(ValueError, match=message):
        model.train_on_batch(x)
    with pytest.raises(ValueError, match="no `corruption` to apply"):
        model.corrupt(x)


def test_sample_weights_need_no_target_beside_a_corruption(x):
    model = dae(corruption=layers.MaskingNoise(0.4), clean_weight=0.0)
    model.compile("sgd")
    one = model.evaluate(x, verbose=0)
    two = model.evaluate(x, sample_weight=np.ones(len(x)), verbose=0)
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_it_corrupts_in_fit_and_evaluate_only(noise, x):
    model = dae(corruption=noise)
    plain = dae(cls=keras_vae.Autoencoder)
    for method in ("encode", "reconstruct", "__call__"):
        expected = getattr(plain, method)(x)
        np.testing.assert_array_equal(getattr(model, method)(x), expected)
    training = model(x, training=True)
    np.testing.assert_array_equal(training, plain(x))
    assert model.code_layers() == [model.encoder]
    losses = []
    for one in (model, plain):
        one.compile("sgd")
        losses.append(one.evaluate(x, verbose=0))
    assert losses[0] != losses[1]
    # Evaluations see the same noise, training steps never do.
    assert model.evaluate(x, verbose=0) == losses[0]
    model.compile(keras.optimizers.SGD(0.0))
    history = model.fit(x, epochs=3, verbose=0).history
    assert len(set(history["loss"])) == 3


def test_corrupt_takes_a_seed(x):
    model = dae(corruption=layers.MaskingNoise(0.5))
    first, mask = model.corrupt(x.astype("float64"), seed=1)
    assert (first.dtype, mask.dtype) == (tf.float32, tf.bool)
    np.testing.assert_array_equal(first, model.corrupt(x, seed=[1, 0])[0])
    assert np.any(first != model.corrupt(x, seed=2)[0])
    assert np.any(model.corrupt(x)[0] != model.corrupt(x)[0])


ZERO = {
    "masking": layers.MaskingNoise(0.0),
    "salt and pepper": layers.SaltAndPepperNoise(0.0),
    "gaussian": layers.AdditiveGaussianNoise(0.0),
    "none": None,
}


@pytest.mark.parametrize("name", ZERO)
def test_zero_corruption_is_an_autoencoder(name, x):
    model = dae(corruption=ZERO[name])
    plain = dae(cls=keras_vae.Autoencoder)
    y = x if name == "none" else None
    assert fit(model, x, y)["loss"] == fit(plain, x)["loss"]
    assert_equal_weights(model, plain)


def test_equal_weights_scale_the_loss(x):
    """Elements weighed one by one sum up to the plain loss."""
    for likelihood in ("squared_error", likelihoods.Normal(0.5)):
        twice = dae(
            likelihood,
            corruption=layers.MaskingNoise(0.3),
            corrupted_weight=2.0,
            clean_weight=2.0,
        )
        once = dae(likelihood, corruption=layers.MaskingNoise(0.3))
        np.testing.assert_allclose(
            terms(twice, x), 2 * terms(once, x), rtol=1e-5
        )


def test_gradient_against_finite_differences(x):
    model = dae(corruption=layers.MaskingNoise(0.4), corrupted_weight=3.0)
    kernel = model.encoder.layers[-1].kernel

    def loss():
        with random.noise_scope(random.Noise(random.as_seed(0))):
            values = model.compute_terms(tf.constant(x), None, training=True)
        return tf.reduce_sum(values["reconstruction_loss"])

    with tf.GradientTape() as tape:
        value = loss()
    gradient = tape.gradient(value, kernel.value).numpy()
    start = kernel.numpy()
    direction = np.random.default_rng(0).normal(size=start.shape)
    ends = []
    for sign in (1, -1):
        kernel.assign(start + sign * 1e-3 * direction)
        ends.append(float(loss()))
    slope = (ends[0] - ends[1]) / 2e-3
    assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-2)


def test_extreme_inputs_are_finite(x):
    model = dae("squared_error", corruption=layers.AdditiveGaussianNoise(1e6))
    assert np.all(np.isfinite(terms(model, 1e6 * x)))


@pytest.mark.parametrize("name", NOISE)
def test_two_replicas_train_like_one(name, x, mirrored):
    losses, models = [], []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            model = dae(corruption=NOISE[name](), clean_weight=0.5)
            model.compile(keras.optimizers.SGD(0.02, momentum=0.9))
        # Batches of 4, 4 and 1.
        history = model.fit(x[:9], batch_size=4, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
        models.append(model)
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert_equal_weights(*models)


def test_save_and_load(tmp_path, x):
    model = dae(corruption=layers.MaskingNoise(0.3, seed=1), clean_weight=0.5)
    fit(model, x)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert restored.corruption.rate == 0.3
    assert restored.clean_weight == 0.5
    np.testing.assert_array_equal(
        restored.corrupt(x, seed=1)[0], model.corrupt(x, seed=1)[0]
    )
    np.testing.assert_array_equal(terms(restored, x), terms(model, x))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"corrupted_weight": -1.0}, "Received: corrupted_weight=-1.0"),
        ({"clean_weight": float("nan")}, "Received: clean_weight=nan"),
        ({"corrupted_weight": 0, "clean_weight": 0}, "not both be 0"),
        ({"corruption": 0.25}, "MaskingNoise.*Received: corruption=0.25"),
        (
            {"corruption": keras.layers.Dropout(0.5)},
            "Received: corruption=<Dropout",
        ),
    ],
)
def test_arguments_out_of_range(kwargs, message):
    with pytest.raises(ValueError, match=message):
        dae(**kwargs)


def test_emphasis_needs_elements_with_a_log_prob_of_their_own():
    shape = (4, 4, 3)
    mixture = likelihoods.DiscretizedLogisticMixture(2)
    encoder = keras_vae.networks.mlp_encoder(shape, units=(6,))
    decoder = keras_vae.networks.mlp_decoder(
        6, mixture.params_shape(shape), units=(5,)
    )
    args = (encoder, decoder, mixture, layers.MaskingNoise(0.3))
    model = keras_vae.DenoisingAutoencoder(*args)
    model.build((None, *shape))
    assert terms(model, np.ones((2, *shape), "float32")).shape == (2,)
    with pytest.raises(ValueError, match="DiscretizedLogisticMixture"):
        keras_vae.DenoisingAutoencoder(*args, clean_weight=0.5)
