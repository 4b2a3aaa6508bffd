"""All corruption layers: statistics, limits, dtypes, streams of noise."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import random
from keras_vae.layers import AdditiveGaussianNoise
from keras_vae.layers import Corruption
from keras_vae.layers import MaskingNoise
from keras_vae.layers import SaltAndPepperNoise

LAYERS = {
    "masking": lambda **kwargs: MaskingNoise(0.25, **kwargs),
    "salt and pepper": lambda **kwargs: SaltAndPepperNoise(0.4, **kwargs),
    "gaussian": lambda **kwargs: AdditiveGaussianNoise(0.3, **kwargs),
}
IDENTITIES = {
    "masking": lambda: MaskingNoise(0.0),
    "salt and pepper": lambda: SaltAndPepperNoise(0.0),
    "gaussian": lambda: AdditiveGaussianNoise(0.0),
}


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return rng.uniform(0.1, 0.9, size=(400, 250)).astype("float32")


@pytest.fixture(params=LAYERS)
def make(request):
    return LAYERS[request.param]


def corrupt(layer, x):
    x_tilde, mask = layer.corrupt(x)
    assert x_tilde.shape == mask.shape == x.shape
    assert mask.dtype == tf.bool
    return np.asarray(x_tilde), np.asarray(mask)


def assert_fraction(mask, rate):
    """Of all elements, and of each row and column: within 5 sigma."""
    for axis, count in ((None, mask.size), (0, 400), (1, 250)):
        error = np.sqrt(rate * (1 - rate) / count)
        assert np.all(np.abs(mask.mean(axis) - rate) < 5 * error)


def test_masked_elements_are_zero_and_kept_ones_are_not_rescaled(x):
    x_tilde, mask = corrupt(MaskingNoise(0.25, seed=0), x)
    assert_fraction(mask, 0.25)
    np.testing.assert_array_equal(x_tilde, np.where(mask, 0, x))


def test_salt_and_pepper_is_a_fair_coin(x):
    layer = SaltAndPepperNoise(0.4, low=-1.0, high=3.0, seed=0)
    x_tilde, mask = corrupt(layer, x)
    assert_fraction(mask, 0.4)
    np.testing.assert_array_equal(x_tilde[~mask], x[~mask])
    assert set(np.unique(x_tilde[mask])) == {-1.0, 3.0}
    assert_fraction(x_tilde == 3.0, 0.2)
    assert_fraction(x_tilde == -1.0, 0.2)


def test_gaussian_moments(x):
    x_tilde, mask = corrupt(AdditiveGaussianNoise(0.3, seed=0), x)
    assert np.all(mask)
    noise = (x_tilde - x).astype("float64") / 0.3
    size = noise.size
    assert abs(noise.mean()) < 5 / np.sqrt(size)
    assert abs(noise.var() - 1) < 5 * np.sqrt(2 / size)
    assert abs(np.mean(noise**4) - 3) < 5 * np.sqrt(96 / size)
    assert abs(np.corrcoef(noise.ravel(), x.ravel())[0, 1]) < 5 / np.sqrt(size)
    # Rows and columns are not copies of each other.
    assert np.abs(np.corrcoef(noise[:20]) - np.eye(20)).max() < 0.35


@pytest.mark.parametrize("name", IDENTITIES)
def test_without_noise_it_is_the_identity(name, x):
    x_tilde, mask = corrupt(IDENTITIES[name](), x)
    np.testing.assert_array_equal(x_tilde, x)
    assert not np.any(mask)


def test_rate_one_corrupts_everything(x):
    x_tilde, mask = corrupt(MaskingNoise(1.0), x)
    assert np.all(mask)
    assert np.all(x_tilde == 0)
    x_tilde, mask = corrupt(SaltAndPepperNoise(1.0), x)
    assert np.all(mask)
    assert set(np.unique(x_tilde)) == {0.0, 1.0}
    assert_fraction(x_tilde == 1.0, 0.5)


def test_call_corrupts_in_training_only(make, x):
    layer = make(seed=0)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)
    expected, _ = make(seed=0).corrupt(x)
    np.testing.assert_array_equal(layer(x, training=True), expected)


def test_every_presentation_is_drawn_anew(make, x):
    layer = make(seed=0)
    first, second = layer(x, training=True), layer(x, training=True)
    assert np.any(first != second)
    compiled = tf.function(lambda x: layer(x, training=True))
    assert np.any(compiled(x) != compiled(x))
    other = make(seed=1)(x, training=True)
    assert np.any(first != other)


def test_in_a_model_the_noise_is_the_models(make, x):
    drawn = []
    for seed in (1, 2):
        with random.noise_scope(random.Noise(random.as_seed(5))):
            drawn.append(make(seed=seed)(x, training=True))
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_dtype_is_kept(make, dtype):
    x = tf.ones((50, 4), dtype)
    x_tilde, mask = make(seed=0).corrupt(x)
    assert x_tilde.dtype == dtype
    assert np.any(x_tilde != x)
    np.testing.assert_array_equal(mask[x_tilde != x], True)
    if dtype == "bfloat16":
        layer = make(seed=0, dtype="mixed_bfloat16")
        assert layer(x, training=True).dtype == dtype


def test_extremes_stay_as_they_are(make):
    x = np.tile(np.array([-1e38, 0.0, 1e38], "float32"), (50, 1))
    x_tilde, mask = corrupt(make(seed=0), x)
    assert np.all(np.isfinite(x_tilde))
    np.testing.assert_array_equal(x_tilde[~mask], x[~mask])


def test_gradient_passes_where_nothing_was_corrupted():
    x = tf.ones((20, 10))
    layer = MaskingNoise(0.5)
    with tf.GradientTape() as tape:
        tape.watch(x)
        x_tilde, mask = layer.corrupt(x)
    gradient = tape.gradient(x_tilde, x)
    np.testing.assert_array_equal(gradient, np.where(mask, 0.0, 1.0))


def test_in_a_sequential_under_its_own_step(make, x):
    model = keras.Sequential(
        [keras.Input((250,)), make(seed=0), keras.layers.Dense(250)]
    )
    model.compile("sgd", "mse")
    model.fit(x, x, batch_size=100, verbose=0)
    clean = model.layers[1](x)
    np.testing.assert_array_equal(model(x), clean)
    config = keras.Sequential.from_config(model.get_config())
    assert config.layers[0].get_config() == model.layers[0].get_config()


def test_replicas_draw_different_noise_in_keras_own_step(make, mirrored):
    layer = make(seed=0)
    layer.build((None, 64))

    def draw():
        return layer(tf.fill((1, 64), 0.5), training=True)

    first, second = mirrored.experimental_local_results(
        mirrored.run(tf.function(draw))
    )
    assert np.any(first != second)


@pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan])
@pytest.mark.parametrize("cls", [MaskingNoise, SaltAndPepperNoise])
def test_rates_are_probabilities(cls, rate):
    with pytest.raises(ValueError, match=f"Received: rate={rate}"):
        cls(rate)


@pytest.mark.parametrize("stddev", [-1e-3, np.inf, np.nan])
def test_stddev_is_not_negative(stddev):
    with pytest.raises(ValueError, match=f"Received: stddev={stddev}"):
        AdditiveGaussianNoise(stddev)


@pytest.mark.parametrize("levels", [(1.0, 0.0), (0.5, 0.5), (np.nan, 1.0)])
def test_salt_is_above_pepper(levels):
    with pytest.raises(ValueError, match="Received: low=.*high="):
        SaltAndPepperNoise(0.1, *levels)


def test_the_base_corrupts_nothing_by_itself(x):
    with pytest.raises(NotImplementedError):
        Corruption().corrupt(x)
