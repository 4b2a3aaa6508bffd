"""Causality, exact probabilities, conditions and errors of PixelSNAIL."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import likelihoods

H, W, K = 3, 4, 5
TINY = {
    "num_heads": 2,
    "filters": 6,
    "num_blocks": 2,
    "num_residual": 1,
    "key_dim": 3,
    "value_dim": 8,
    "seed": 3,
}


def snail(shape=(H, W), num_embeddings=K, **kwargs):
    keras.utils.set_random_seed(1)
    return keras_vae.PixelSNAIL(shape, num_embeddings, **{**TINY, **kwargs})


def images_snail(shape, num_levels=2, **kwargs):
    likelihood = likelihoods.DiscretizedLogisticMixture(2, num_levels)
    return snail(shape, None, likelihood=likelihood, **kwargs)


def codes(num, seed=0, num_embeddings=K):
    rng = np.random.default_rng(seed)
    return rng.integers(0, num_embeddings, (num, H, W))


GIVEN = {
    "num_classes": 3,
    "conditional": True,
    "condition_shape": (1, 2),
    "condition_embeddings": 4,
    "num_condition_blocks": 1,
}


def given(indices, label=0, condition=0):
    num = len(indices)
    return {
        "indices": indices,
        "label": np.full(num, label),
        "condition": np.full((num, 1, 2), condition),
    }


# === Causality ===

NETWORKS = {
    "corner": {"attention": False},
    "center": {"attention": False, "kernel_size": 3, "anchor": "center"},
    "1 head": {"num_heads": 1, "num_output_residual": 1},
    "8 heads": {"num_heads": 8},
}


def assert_causal(model, make_input, x, change):
    """Changing x at j is seen after j only, at the end of every block."""
    num = H * W
    before = np.repeat(x, num, axis=0)
    after = before.copy()
    for j in range(num):
        after[j, j // W, j % W] = change(after[j, j // W, j % W])
    outputs = [
        [*model._features(make_input(a)), model(make_input(a))]
        for a in (before, after)
    ]
    assert len(outputs[0]) == 2 + model.num_blocks
    for one, two in zip(*outputs, strict=True):
        differs = np.any(one.numpy() != two.numpy(), axis=-1)
        differs = differs.reshape(num, num)
        for j in range(num):
            assert not np.any(differs[j, : j + 1])
            assert j == num - 1 or np.any(differs[j, j + 1 :])


@pytest.mark.parametrize("name", NETWORKS)
def test_codes_are_seen_by_later_positions_only(name):
    model = snail(**NETWORKS[name])
    assert_causal(model, np.asarray, codes(1), lambda code: (code + 1) % K)


def test_causality_under_label_and_condition():
    model = snail(**GIVEN)
    assert_causal(model, given, codes(1), lambda code: (code + 1) % K)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_seen_by_later_positions_only(channels):
    model = images_snail((H, W, channels), num_levels=16)
    x = np.full((1, H, W, channels), 0.4, "float32")
    assert_causal(model, np.asarray, x, lambda pixel: pixel + 0.2)


def test_attention_sees_far_where_convolutions_do_not():
    """The first code of a wide array, from its last position."""
    shape = (2, 12)
    x = np.zeros((1, *shape), "int32")
    changed = x.copy()
    changed[0, 0, 0] = 1
    for attention in (False, True):
        model = snail(shape, attention=attention, num_blocks=1)
        difference = model(changed) - model(x)
        assert bool(np.any(difference[0, 1, 11] != 0)) is attention


def test_logits_are_finite_from_the_first_position():
    model = snail()
    logits = model(codes(4)).numpy()
    assert logits.shape == (4, H, W, K)
    assert np.all(np.isfinite(logits))
    np.testing.assert_allclose(logits[:, 0, 0], logits[:1, 0, 0].repeat(4, 0))


# === Probabilities ===


def all_arrays(shape, num_values):
    values = itertools.product(range(num_values), repeat=math.prod(shape))
    return np.array(list(values)).reshape(-1, *shape)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("num_embeddings", [2, 3])
def test_probabilities_of_all_arrays_sum_to_one(name, num_embeddings):
    model = snail((2, 2), num_embeddings, **NETWORKS[name])
    spread(model)
    log_prob = model.log_prob(all_arrays((2, 2), num_embeddings))
    assert np.std(log_prob) > 0.1
    assert np.sum(np.exp(log_prob)) == pytest.approx(1, abs=1e-5)


def spread(model, scale=0.7):
    """Larger weights, so that probabilities differ."""
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + scale * rng.normal(size=weight.shape))


@pytest.mark.parametrize("label", [0, 2])
def test_conditional_probabilities_sum_to_one(label):
    model = snail((2, 2), 3, **GIVEN)
    spread(model, 0.2)
    log_prob = model.log_prob(given(all_arrays((2, 2), 3), label, condition=1))
    assert np.sum(np.exp(log_prob)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("shape", "num_levels"), [((2, 2, 1), 3), ((1, 2, 3), 2)]
)
def test_probabilities_of_all_images_sum_to_one(shape, num_levels):
    model = images_snail(shape, num_levels)
    spread(model, 0.2)
    x = all_arrays(shape, num_levels) / (num_levels - 1)
    log_prob = model.log_prob(x.astype("float32"))
    assert np.sum(np.exp(log_prob)) == pytest.approx(1, abs=1e-5)


def test_pixels_of_independent_channels():
    model = snail((1, 2, 2), None, likelihood=likelihoods.Categorical(3))
    x = all_arrays((1, 2, 2), 3) / 2
    log_prob = model.log_prob(x.astype("float32"))
    assert np.sum(np.exp(log_prob)) == pytest.approx(1, abs=1e-5)


def test_log_prob_against_numpy():
    model, x = snail(), codes(4)
    logits = model(x).numpy().astype("float64")
    logits -= np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))
    chosen = np.take_along_axis(logits, x[..., np.newaxis], axis=-1)
    np.testing.assert_allclose(
        model.log_prob(x), chosen.sum(axis=(1, 2, 3)), rtol=1e-5
    )


def test_a_zero_output_layer_knows_nothing():
    model = snail()
    for weight in model._output.weights:
        weight.assign(tf.zeros_like(weight))
    exact = H * W * math.log(K)
    np.testing.assert_allclose(model.log_prob(codes(3)), -exact, rtol=1e-6)
    model.compile()
    logs = model.evaluate(codes(3), return_dict=True, verbose=0)
    for name in ("loss", "neg_elbo", "neg_log_likelihood"):
        assert logs[name] == pytest.approx(exact, rel=1e-6)
    assert logs["nats_per_code"] == pytest.approx(math.log(K), rel=1e-6)


def test_a_new_model_is_close_to_that():
    """Training starts where nothing is known, whatever the depth."""
    model = snail((6, 6), 64, filters=32, num_blocks=4, num_residual=3)
    x = np.random.default_rng(0).integers(0, 64, (4, 6, 6))
    nats = -np.mean(model.log_prob(x)) / 36
    assert nats == pytest.approx(math.log(64), rel=0.25)


def test_label_and_condition_change_the_logits():
    model, x = snail(**GIVEN), codes(2)
    logits = model(given(x)).numpy()
    for changed in ({"label": 1}, {"condition": 3}):
        other = model(given(x, **changed)).numpy()
        assert np.all(np.any(other != logits, axis=-1))


def test_a_condition_is_seen_where_it_is():
    """Upsampled to its place; convolutions of size 3 see the neighbours."""
    model = snail(
        (2, 16),
        attention=False,
        num_blocks=1,
        conditional=True,
        condition_shape=(1, 8),
        num_condition_blocks=1,
    )
    x = np.zeros((1, 2, 16), "int32")
    condition = np.zeros((1, 1, 8), "int32")
    logits = model({"indices": x, "condition": condition})
    condition[0, 0, 4] = 1
    changed = model({"indices": x, "condition": condition})
    differs = np.any((changed - logits)[0] != 0, axis=(0, -1))
    # Two convolutions to the left; to the right those of the codes too.
    assert list(np.flatnonzero(differs)[:2]) == [4, 5]
    assert np.all(differs[4:14])


# === Training ===


def stripes(num):
    """Rows repeat: all but the first are known."""
    rng = np.random.default_rng(0)
    return np.repeat(rng.integers(0, K, (num, 1, W)), H, axis=1)


def test_fit_learns_what_can_be_known():
    model = snail(filters=16, num_blocks=1)
    model.compile(keras.optimizers.Adam(0.02))
    history = model.fit(stripes(256), batch_size=32, epochs=12, verbose=0)
    losses = history.history["neg_log_likelihood"]
    unknown = W * math.log(K)
    assert losses[0] > 1.5 * unknown
    # A few of the first rows are learnt by heart.
    assert 0.8 * unknown < losses[-1] < 1.25 * unknown
    per_code = history.history["nats_per_code"][-1]
    assert per_code == pytest.approx(losses[-1] / (H * W), rel=1e-5)


def test_integers_of_any_kind():
    model, x = snail(num_blocks=1), codes(4)
    expected = model.log_prob(x)
    for dtype in ("uint8", "int16", "int32", "int64"):
        again = model.log_prob(x.astype(dtype))
        np.testing.assert_array_equal(again, expected)
    model.compile("sgd")
    loss = model.evaluate(x.astype("uint8"), verbose=0)[0]
    assert loss == pytest.approx(-np.mean(expected), rel=1e-5)


def test_images_of_doubles():
    model = snail((2, 3, 1), None, likelihood="bernoulli")
    x = np.random.default_rng(0).integers(0, 2, (4, 2, 3, 1)).astype("float64")
    log_prob = model.log_prob(x)
    assert log_prob.dtype == tf.float32
    np.testing.assert_array_equal(log_prob, model.log_prob(x.astype("float32")))


def test_datasets_and_dicts():
    model = snail(**GIVEN, attention=False, num_blocks=1)
    x = given(codes(6), label=1, condition=2)
    model.compile(keras.optimizers.SGD(0.0))
    expected = -np.mean(model.log_prob(x))
    data = tf.data.Dataset.from_tensor_slices(x).batch(3)
    for source in (x, data):
        logs = model.fit(source, validation_data=source, verbose=0).history
        assert logs["val_loss"][0] == pytest.approx(expected, rel=1e-5)
        assert logs["loss"][0] == pytest.approx(expected, rel=1e-5)
    weighted = model.evaluate(
        x, sample_weight=np.array([1.0, 0, 0, 0, 0, 0]), verbose=0
    )
    assert weighted[0] == pytest.approx(-model.log_prob(x)[0].numpy(), rel=1e-5)


def test_images_report_bits():
    model = images_snail((2, 3, 1), num_levels=16)
    x = np.random.default_rng(0).integers(0, 16, (4, 2, 3, 1)) / 15
    model.compile("sgd")
    logs = model.evaluate(x, return_dict=True, verbose=0)
    bits = keras_vae.metrics.bits_per_dim(logs["neg_elbo"], model=model)
    assert logs["bits_per_dim"] == pytest.approx(bits, rel=1e-6)
    assert "nats_per_code" not in logs


def test_half_precision_is_close():
    single, x = snail(), codes(8)
    config = {**single.get_config(), "dtype": "mixed_bfloat16"}
    half = keras_vae.PixelSNAIL.from_config(config)
    half.set_weights(single.get_weights())
    assert half(x).dtype == tf.float32
    np.testing.assert_allclose(half.log_prob(x), single.log_prob(x), rtol=5e-3)


# === Errors ===


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (4,)}, "Received: shape=.4,"),
        ({"shape": (4, 0)}, "Received: shape="),
        ({"num_embeddings": 1}, "at least 2. Received: num_embeddings=1"),
        ({"num_embeddings": None}, "Received: num_embeddings=None"),
        ({"num_heads": 3}, "multiple of `num_heads`.*num_heads=3"),
        ({"num_classes": 0}, "Received: num_classes=0"),
        ({"filters": 0}, "Received: filters=0"),
        ({"num_output_residual": -1}, "Received: num_output_residual=-1"),
        ({"num_condition_blocks": -2}, "Received: num_condition_blocks=-2"),
        ({"num_condition_blocks": 1.0}, "Received: num_condition_blocks=1.0"),
        ({"dropout": 1.5}, "Received: dropout=1.5"),
        ({"condition_shape": (2, 2)}, "Received: conditional=False"),
        ({"condition_embeddings": 4}, "Received: conditional=False"),
        (
            {"conditional": True, "condition_shape": (2, 2)},
            "divide.*condition_shape=.2, 2., shape=.3, 4.",
        ),
        (
            {"conditional": True, "condition_embeddings": 1},
            "Received: condition_embeddings=1",
        ),
        ({"likelihood": "bernoulli"}, "Received: shape="),
        (
            {"likelihood": "bernoulli", "shape": (3, 4, 1)},
            "Received: num_embeddings=5, likelihood=",
        ),
        (
            {
                "likelihood": "squared_error",
                "shape": (3, 4, 1),
                "num_embeddings": None,
            },
            "normalised.*Received: likelihood=",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        snail(**arguments)


BAD_DATA = {
    "too large": (codes(2) + 1, "from 0 to 4. Received: indices between"),
    "negative": (codes(2) - 1, "Received: indices between -1"),
    "shape": (np.zeros((2, H, W + 1), "int32"), "shape .None, 3, 4."),
    "rank": (np.zeros((2, H, W, 1), "int32"), "Received: indices of shape"),
    "floats": (np.zeros((2, H, W), "float32"), "indices of dtype float32"),
    "keys": ({"codes": codes(2)}, "Received: x with .'codes'."),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_cannot_be_modelled(name):
    x, message = BAD_DATA[name]
    model = snail()
    model.compile("sgd")
    with pytest.raises(ValueError, match=message):
        model.fit(x, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.log_prob(x)
    assert int(model.step) == 0


def test_a_target_is_an_error():
    model = snail()
    model.compile("sgd")
    with pytest.raises(ValueError, match="without a target"):
        model.fit(codes(2), codes(2), verbose=0)


def test_missing_and_bad_label_and_condition():
    model = snail(**GIVEN)
    model.compile("sgd")
    complete = given(codes(2))
    for name in ("label", "condition"):
        x = {key: v for key, v in complete.items() if key != name}
        with pytest.raises(ValueError, match="must be a dict.*Received"):
            model.fit(x, verbose=0)
        x = {**complete, name: complete[name][:1]}
        with pytest.raises(ValueError, match=f"Received: .*'{name}': 1"):
            model.fit(x, verbose=0)
        x = {**complete, name: complete[name] + 9}
        with pytest.raises(ValueError, match=f"Received: {name} between"):
            model.fit(x, verbose=0)
        with pytest.raises(ValueError, match=f"Received: {name}=None"):
            model.sample(2, **({"label": 1} if name == "condition" else {}))
    with pytest.raises(ValueError, match="must be a dict.*type ndarray"):
        model.fit(codes(2), verbose=0)
    with pytest.raises(ValueError, match="one for each sample.*num=4"):
        model.sample(4, label=[0, 1], condition=np.zeros((1, 2), "int32"))


def test_images_out_of_range():
    model = images_snail((2, 2, 1), num_levels=16)
    model.compile("sgd")
    with pytest.raises(ValueError, match="divide 8-bit images by 255"):
        model.fit(np.full((2, 2, 2, 1), 255.0), verbose=0)
    with pytest.raises(ValueError, match="Received: x of dtype int"):
        model.fit(np.zeros((2, 2, 2, 1), "int32"), verbose=0)
    with pytest.raises(ValueError, match="on 16 levels"):
        model.log_prob(np.full((2, 2, 2, 1), 0.5))


def test_sample_arguments():
    model = snail()
    with pytest.raises(ValueError, match="Received: temperature=-1"):
        model.sample(2, temperature=-1)
    with pytest.raises(ValueError, match="no label: .*`num_classes`"):
        model.sample(2, label=1)
    with pytest.raises(ValueError, match="no condition: .*`conditional`"):
        model.sample(2, condition=np.zeros((H, W), "int32"))
    with pytest.raises(ValueError, match="`num`.*Received: num=-1"):
        model.sample(-1)
    with pytest.raises(ValueError, match="Received: temperature=0.5"):
        images_snail((2, 2, 1)).sample(2, temperature=0.5)
