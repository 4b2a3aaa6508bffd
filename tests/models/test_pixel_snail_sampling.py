"""Samples of PixelSNAIL: cached, naive, exported; their distribution."""

import itertools
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import keras_vae
from benchmarks.cached_sampling import NaiveSampler
from keras_vae import random
from tests.models.test_pixel_snail import GIVEN
from tests.models.test_pixel_snail import NETWORKS
from tests.models.test_pixel_snail import H
from tests.models.test_pixel_snail import K
from tests.models.test_pixel_snail import W
from tests.models.test_pixel_snail import images_snail
from tests.models.test_pixel_snail import snail
from tests.models.test_pixel_snail import spread
from tests.serving import run_signatures

CONDITION = np.array([[[1, 3]], [[0, 0]], [[2, 1]]])


@pytest.fixture(scope="module")
def model():
    """One for all, as its loop is traced once."""
    model = snail(num_blocks=1)
    spread(model, 0.3)
    return model


@pytest.fixture(scope="module")
def given_model():
    model = snail(**GIVEN, num_blocks=1)
    spread(model, 0.3)
    return model


def sample_and_params(model, num, **kwargs):
    """Samples, and the parameters (num, H, W, P) that each step drew from."""
    steps = []
    draw = model.draw

    def recording(params, *args):
        steps.append(params)
        return draw(params, *args)

    model.draw = recording
    try:
        # Outside of a function the loop is Python's.
        given = [kwargs[i.name] for i in model._inputs[1:]]
        samples = model._sample(num, random.as_seed(0), 1.0, *given)
    finally:
        model.draw = draw
    params = tf.stack(steps, axis=1)
    return samples, tf.reshape(params, [num, *model.shape[:2], -1])


# === Cached, teacher-forced, naive ===


@pytest.mark.parametrize("name", NETWORKS)
def test_each_step_has_the_logits_of_the_whole_network(name):
    model = snail(**NETWORKS[name])
    spread(model, 0.3)
    samples, logits = sample_and_params(model, 3)
    np.testing.assert_allclose(
        tf.nn.log_softmax(logits),
        tf.nn.log_softmax(model(samples)),
        rtol=1e-5,
        atol=1e-5,
    )


def test_each_step_knows_label_and_condition(given_model):
    model = given_model
    given = {
        "label": tf.constant([0, 1, 2]),
        "condition": tf.constant(CONDITION),
    }
    samples, logits = sample_and_params(model, 3, **given)
    np.testing.assert_allclose(
        logits, model({"indices": samples, **given}), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_each_step_has_the_pixel_of_the_whole_network(channels):
    model = images_snail((H, W, channels), 16, num_blocks=1)
    spread(model, 0.2)
    samples, params = sample_and_params(model, 2)
    assert samples.shape == (2, H, W, channels)
    np.testing.assert_allclose(params, model(samples), rtol=1e-4, atol=1e-5)
    scaled = 15 * samples.numpy()
    np.testing.assert_allclose(scaled, np.round(scaled), atol=1e-4)
    assert np.all(np.isfinite(model.log_prob(samples)))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_cached_and_naive_samples_are_identical(model, jit_compile):
    samples = model.sample(20, seed=5, jit_compile=jit_compile)
    assert samples.dtype == tf.int32
    np.testing.assert_array_equal(samples, NaiveSampler(model, 20)(5))


def test_half_precision_is_sampled_too():
    config = {**snail(num_blocks=1).get_config(), "dtype": "mixed_bfloat16"}
    model = keras_vae.PixelSNAIL.from_config(config)
    samples = model.sample(4, seed=0).numpy()
    assert samples.min() >= 0
    assert samples.max() < K


# === Seeds, temperature ===


def test_seeds(model):
    one = model.sample(8, seed=1).numpy()
    np.testing.assert_array_equal(model.sample(8, seed=1), one)
    np.testing.assert_array_equal(
        model.sample(tf.constant(8), seed=random.as_seed(1)), one
    )
    np.testing.assert_array_equal(
        tf.function(model.sample)(tf.constant(8), random.as_seed(1)), one
    )
    for other in (model.sample(8, seed=2), model.sample(8)):
        assert np.any(other != one)
    # Every sample and position has noise of its own.
    assert len(np.unique(one.reshape(8, -1), axis=0)) == 8
    assert len(np.unique(one.reshape(8, -1), axis=1).T) > 6
    assert one.min() >= 0 and one.max() < K


def test_temperature_zero_is_the_most_probable_code(model):
    samples = model.sample(2, temperature=0)
    np.testing.assert_array_equal(samples[0], samples[1])
    np.testing.assert_array_equal(np.argmax(model(samples), -1), samples)
    cold = model.sample(2, temperature=1e-4)
    np.testing.assert_array_equal(cold, samples)


def test_temperature_divides_the_logits():
    model = snail((1, 1), 4, attention=False, num_blocks=1)
    spread(model)
    logits = model(np.zeros((1, 1, 1), "int32"))[0, 0, 0]
    for temperature in (0.5, 2.0):
        samples = model.sample(20_000, seed=0, temperature=temperature)
        expected = 20_000 * tf.nn.softmax(logits / temperature).numpy()
        counts = np.bincount(samples.numpy().ravel(), minlength=4)
        assert stats.chisquare(counts, expected, sum_check=False).pvalue > 1e-3


# === Distribution ===


def frequencies(samples, values):
    """Counts of each of `values` among samples."""
    places = {value.tobytes(): i for i, value in enumerate(values)}
    found = [places[sample.tobytes()] for sample in samples]
    return np.bincount(found, minlength=len(values))


def test_codes_are_drawn_as_often_as_they_are_probable():
    model = snail((2, 2), 2, num_blocks=1)
    spread(model, 0.3)
    values = np.array(list(itertools.product([0, 1], repeat=4)), "int32")
    values = values.reshape(-1, 2, 2)
    expected = 20_000 * np.exp(model.log_prob(values))
    samples = model.sample(20_000, seed=0, jit_compile=False).numpy()
    counts = frequencies(samples, values)
    assert np.ptp(expected) > 500
    assert stats.chisquare(counts, expected, sum_check=False).pvalue > 1e-3


def test_pixels_are_drawn_as_often_as_they_are_probable():
    model = images_snail((1, 2, 1), 3, num_blocks=1)
    spread(model, 0.2)
    values = list(itertools.product([0, 0.5, 1], repeat=2))
    values = np.array(values, "float32").reshape(-1, 1, 2, 1)
    expected = 20_000 * np.exp(model.log_prob(values))
    samples = model.sample(20_000, seed=0, jit_compile=False).numpy()
    counts = frequencies(samples, values)
    assert stats.chisquare(counts, expected, sum_check=False).pvalue > 1e-3


def test_label_and_condition_for_all_or_for_each(given_model):
    model = given_model
    each = model.sample(3, seed=0, label=[2, 2, 2], condition=CONDITION[:1])
    one = model.sample(3, seed=0, label=2, condition=CONDITION[0])
    np.testing.assert_array_equal(each, one)
    other = model.sample(3, seed=0, label=1, condition=CONDITION[0])
    assert np.any(other != one)
    other = model.sample(3, seed=0, label=2, condition=CONDITION)
    np.testing.assert_array_equal(other[0], one[0])
    assert np.any(other != one)


@pytest.mark.parametrize("likelihood", ["bernoulli", "categorical", "normal"])
def test_likelihoods_of_independent_pixels(likelihood):
    model = snail(
        (2, 2, 2),
        None,
        likelihood=likelihood,
        attention=False,
        num_blocks=1,
    )
    samples = model.sample(3, seed=0)
    assert samples.shape == (3, 2, 2, 2)
    assert np.all(np.isfinite(model.log_prob(samples)))


def test_xla_where_it_is_worth_its_time():
    model = snail((32, 32), num_blocks=1)
    assert not model._is_worth_xla(1)
    assert model._is_worth_xla(16)


# === Export ===


def test_exported_without_the_library(given_model, tmp_path):
    """Samples, and log-probabilities, in a process with TensorFlow alone."""
    rng = np.random.default_rng(0)
    images = images_snail((H, W, 3), 16, num_blocks=1, attention=False)
    given = {
        "label": np.array([0, 2, 1], "int32"),
        "condition": CONDITION.astype("int32"),
    }
    indices = rng.integers(0, K, (3, H, W), "int32")
    x = rng.integers(0, 16, (3, H, W, 3)).astype("float32") / 15
    cases = {
        "codes": (given_model, {"indices": indices}, given),
        "images": (images, {"x": x}, {}),
    }
    jobs, expected = [], {}
    for name, (model, data, given) in cases.items():
        seed = np.array([4, 5], "int32")
        calls = {
            "0/serving_default": {"num": np.int32(3), "seed": seed, **given},
            "1/log_prob": {**data, **given},
        }
        expected[name] = {
            "0/serving_default/samples": model.sample(3, seed, **given),
            "1/log_prob/log_prob": model.log_prob({**data, **given}),
        }
        version = keras_vae.export_model(model, tmp_path / name)
        inputs, outputs = (
            tmp_path / f"{name}_{part}.npz" for part in ("in", "out")
        )
        np.savez(
            inputs,
            **{
                f"{call}/{key}": value
                for call, values in calls.items()
                for key, value in values.items()
            },
        )
        jobs.append([str(version), str(inputs), str(outputs)])
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    done = subprocess.run(
        [sys.executable, run_signatures.__file__, tmp_path / "jobs.json"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name, outputs in expected.items():
        with np.load(tmp_path / f"{name}_out.npz") as actual:
            assert set(actual) == set(outputs)
            for key, value in outputs.items():
                np.testing.assert_allclose(actual[key], value, rtol=1e-4)


def test_log_prob_inside_a_function_and_its_gradient(model):
    x = tf.zeros([2, H, W], "int32")
    inside = tf.function(model.log_prob)(x)
    np.testing.assert_allclose(inside, model.log_prob(x), rtol=1e-5)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(model.log_prob(x))
    gradients = tape.gradient(loss, model.trainable_weights)
    assert all(
        np.all(np.isfinite(g)) for g in map(tf.convert_to_tensor, gradients)
    )
    assert math.isfinite(loss)
