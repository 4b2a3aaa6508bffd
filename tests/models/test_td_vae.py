"""TD-VAE: the objective in NumPy, a Kalman filter, masks and jumps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import datasets
from keras_vae import likelihoods
from keras_vae import random
from keras_vae.models.jump_times import draw_times


def td_vae(**kwargs):
    arguments = {
        "latent_dims": [2, 1],
        "hidden_units": 5,
        "jump_range": (1, 3),
        "num_pairs": 2,
        "seed": 0,
        **kwargs,
    }
    keras.utils.set_random_seed(0)
    decoder = keras.Sequential(
        [keras.Input((sum(arguments["latent_dims"]),)), keras.layers.Dense(4)]
    )
    return keras_vae.TDVAE(keras.layers.LSTM(3), decoder, **arguments)


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return (rng.uniform(size=(6, 7, 4)) > 0.5).astype("float32")


def terms_of(model, x, seed=3, training=False):
    rows = len(x["x"] if isinstance(x, dict) else x)
    with random.noise_scope(random.Noise(random.as_seed(seed), rows)):
        terms = model.compute_terms(x, None, training)
    return {name: np.asarray(value) for name, value in terms.items()}


# === The objective, in NumPy ===


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(layer, x):
    kernel, recurrent, bias = (np.float64(w) for w in layer.get_weights())
    h = c = np.zeros((len(x), layer.units))
    outputs = []
    for step in np.moveaxis(x, 1, 0):
        gates = step @ kernel + h @ recurrent + bias
        i, f, g, o = np.split(gates, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def block(layer, *inputs):
    """Mean and standard deviation of a `GatedNormal`."""
    w, b, v, a = (np.float64(weight) for weight in layer.get_weights())
    value, gate = np.split(np.concatenate(inputs, axis=1) @ w + b, 2, axis=1)
    mean, log_scale = np.split(
        (np.tanh(value) * sigmoid(gate)) @ v + a, 2, axis=1
    )
    return mean, np.exp(log_scale)


def log_normal(z, mean, scale):
    terms = -0.5 * ((z - mean) / scale) ** 2 - np.log(scale)
    return (terms - 0.5 * np.log(2 * np.pi)).sum(axis=1)


def kl_normal(mean, scale, other, width):
    ratio = (scale / width) ** 2
    terms = ratio + ((mean - other) / width) ** 2 - 1 - np.log(ratio)
    return 0.5 * terms.sum(axis=1)


@pytest.mark.parametrize("told", [False, True])
def test_terms_against_numpy(x, told):
    model = td_vae(condition_on_jump=told)
    found = terms_of(model, x)
    noise = random.Noise(random.as_seed(3), len(x))
    n = 2 * len(x)
    jump = 1 + np.floor(3 * np.asarray(noise.uniform([n]))).astype(int)
    first = np.floor((7 - jump) * np.asarray(noise.uniform([n]))).astype(int)
    second = first + jump
    rows = np.tile(np.arange(len(x)), 2)
    b = lstm(model.belief_network, x)
    b_1, b_2 = b[rows, first], b[rows, second]
    share = []
    if told:
        share = [jump[:, None] / 3, np.log1p(jump[:, None]) / np.log(4.0)]

    def draw(mean, scale):
        return mean + scale * np.asarray(noise.normal(list(mean.shape)))

    low, top = model.belief_blocks
    top_2 = block(top, b_2)
    z_top_2 = draw(*top_2)
    low_2 = block(low, b_2, z_top_2)
    z_2 = draw(*low_2)
    context = [b_1, b_2, z_2, z_top_2, *share]
    q_low, q_top = model.smoothing_blocks
    top_1 = block(q_top, *context)
    z_top_1 = draw(*top_1)
    low_1 = block(q_low, *context, z_top_1)
    z_1 = draw(*low_1)
    kl = kl_normal(*top_1, *block(top, b_1))
    kl += kl_normal(*low_1, *block(low, b_1, z_top_1))
    p_low, p_top = model.transition_blocks
    ratio = log_normal(z_top_2, *top_2) + log_normal(z_2, *low_2)
    ratio -= log_normal(z_top_2, *block(p_top, z_1, z_top_1, *share))
    ratio -= log_normal(z_2, *block(p_low, z_1, z_top_1, *share, z_top_2))
    kernel, bias = model.decoder.get_weights()
    logits = np.concatenate([z_2, z_top_2], axis=1) @ kernel + bias
    target = x[rows, second]
    loss = (np.logaddexp(0, logits) - target * logits).sum(axis=1)
    for name, value in (
        ("reconstruction_loss", loss),
        ("belief_kl_loss", kl),
        ("transition_loss", ratio),
    ):
        np.testing.assert_allclose(
            found[name], value.reshape(2, -1).mean(axis=0), rtol=1e-4, atol=1e-4
        )


# === A linear state space, whose distributions are all known ===

A, Q, C, R = 0.9, 0.3, 1.2, 0.5  # z' ~ N(A z, Q), x ~ N(C z, R)


def kalman(x):
    """Filtered means, and log p(x_t | x_<t), of series (n, steps)."""
    variance = 1.0
    mean = np.zeros(len(x))
    means, variances, log_p = [], [], []
    for t, value in enumerate(x.T):
        if t:
            mean, variance = A * mean, A**2 * variance + Q
        spread = C**2 * variance + R
        error = value - C * mean
        log_p.append(-0.5 * (error**2 / spread + np.log(2 * np.pi * spread)))
        gain = variance * C / spread
        mean, variance = mean + gain * error, variance * R / spread
        means.append(mean)
        variances.append(np.full_like(mean, variance))
    beliefs = np.stack([np.stack(means, 1), np.stack(variances, 1)], -1)
    return beliefs.astype("float32"), np.stack(log_p, axis=1)


def exact_belief(inputs):
    return inputs[:, :1], inputs[:, 1:2]


def exact_smoothing(inputs):
    """From b_1, b_2, z_2: the posterior of z_1, which b_2 adds nothing to."""
    mean, variance, z_2 = inputs[:, :1], inputs[:, 1:2], inputs[:, 4:5]
    gain = variance * A / (A**2 * variance + Q)
    return mean + gain * (z_2 - A * mean), variance * (1 - gain * A)


def exact_transition(z):
    return A * z, tf.fill(tf.shape(z), Q)


class Kalman(keras_vae.TDVAE):
    """The model with exact distributions in the place of networks."""

    def beliefs_of(self, x, state=None, training=False):
        beliefs = tf.numpy_function(
            lambda values: kalman(values[..., 0])[0], [x], "float32"
        )
        return tf.ensure_shape(beliefs, (None, None, 2)), []


def exact_model():
    decoder = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
    )
    decoder.set_weights([np.array([[C]])])
    model = Kalman(
        keras.layers.LSTM(2),
        decoder,
        [1],
        likelihood=likelihoods.Normal(np.sqrt(R)),
        jump_range=(1, 1),
        condition_on_jump=False,
        seed=0,
    )
    model.build((None, None, 1))
    model.belief_blocks = [exact_belief]
    model.smoothing_blocks = [exact_smoothing]
    model.transition_blocks = [exact_transition]
    return model


def test_exact_distributions_give_the_likelihood():
    """The bound is tight: -log p(x_t2 | x_1..t1) at jumps of one."""
    rng = np.random.default_rng(1)
    series = rng.normal(size=(1, 2)) * 1.5
    _, log_p = kalman(series)
    copies = np.repeat(series, 40_000, axis=0)[..., None].astype("float32")
    terms = terms_of(exact_model(), copies)
    total = sum(terms.values())
    error = total.std() / np.sqrt(len(total))
    assert total.mean() == pytest.approx(-log_p[0, 1], abs=4 * error)


def test_elbo_is_tight_for_the_chain():
    series = np.float32([[2.0, 1.5, -1.0]])
    _, log_p = kalman(series)
    copies = np.repeat(series, 40_000, axis=0)[..., None]
    found = np.asarray(exact_model().elbo(copies, seed=0))
    assert found.shape == (40_000, 2)
    for t in range(2):
        error = found[:, t].std() / np.sqrt(len(found))
        expected = log_p[0, t + 1]
        assert found[:, t].mean() == pytest.approx(expected, abs=4 * error)


def test_elbo_of_too_few_steps():
    with pytest.raises(ValueError, match="`x` must hold more than dt=1"):
        exact_model().elbo(np.zeros((2, 1, 1), "float32"))


def test_observed_frames_have_the_noise_of_the_likelihood():
    model = exact_model()
    x = np.float32([[[2.0], [1.5], [1.0]]])
    clean, observed = (
        np.asarray(model.rollout(x, 2, 20_000, seed=0, observe=observe))
        for observe in (False, True)
    )
    assert (observed - clean).var() == pytest.approx(R, rel=0.05)
    assert (observed - clean).mean() == pytest.approx(0.0, abs=0.02)


def test_wrong_transitions_cost_more():
    """On data of the chain, not necessarily on one series."""
    rng = np.random.default_rng(1)
    z_1 = rng.normal(size=20_000)
    z_2 = A * z_1 + np.sqrt(Q) * rng.normal(size=20_000)
    z = np.stack([z_1, z_2], axis=1)
    x = C * z + np.sqrt(R) * rng.normal(size=z.shape)
    x = x[..., None].astype("float32")
    exact = sum(terms_of(exact_model(), x).values()).mean()
    model = exact_model()
    model.transition_blocks = [lambda z: (A * z + 0.5, tf.fill(tf.shape(z), Q))]
    assert sum(terms_of(model, x).values()).mean() > exact + 0.1


def test_rollouts_have_the_moments_of_the_chain():
    """Frames are C z: means fall by A, variances approach the stationary."""
    model = exact_model()
    x = np.float32([[[2.0], [1.5], [1.0]]])
    frames = np.asarray(model.rollout(x, 4, num_samples=20_000, seed=0))
    assert frames.shape == (1, 20_000, 4, 1)
    mean, variance = kalman(x[..., 0])[0][0, -1]
    for step in range(4):
        mean, variance = A * mean, A**2 * variance + Q
        found = frames[0, :, step, 0]
        assert found.mean() == pytest.approx(C * mean, abs=0.03)
        assert found.var() == pytest.approx(C**2 * variance, rel=0.05)
    once = np.asarray(model.jump(x, 1, num_samples=20_000, seed=1))
    assert once.mean() == pytest.approx(frames[:, :, 0].mean(), abs=0.03)


def test_smoothing_and_filtering_of_the_chain():
    model = exact_model()
    x = np.float32([[[2.0], [1.5], [-1.0]]])
    (now,) = model.filter(x)
    mean, variance = kalman(x[..., 0])[0][0, -1]
    assert float(now.mean()[0, 0]) == pytest.approx(mean, rel=1e-5)
    assert float(now.variance()[0, 0]) == pytest.approx(variance, rel=1e-5)
    (past,) = model.smooth(x, 1, 2)
    before = kalman(x[..., 0])[0][0, 1]
    gain = before[1] * A / (A**2 * before[1] + Q)
    expected = before[0] + gain * (mean - A * before[0])
    assert float(past.mean()[0, 0]) == pytest.approx(expected, rel=1e-4)


# === Times, masks, streams ===


def test_times():
    lengths = tf.constant(np.repeat([3, 5, 9], 4000), "int32")
    noise = random.Noise(random.as_seed(0))
    first, second = draw_times(noise, lengths, (2, 4), "uniform")
    first, second = np.asarray(first), np.asarray(second)
    jump = second - first
    assert first.min() == 0 and np.all(second < lengths)
    # Only a jump of two fits into three steps.
    assert set(jump[:4000]) == {2} and set(first[:4000]) == {0}
    for rows in (slice(4000, 8000), slice(8000, None)):
        share = np.bincount(jump[rows], minlength=5)[2:] / 4000
        np.testing.assert_allclose(share, 1 / 3, atol=0.03)
    starts = first[8000:][jump[8000:] == 4]
    share = np.bincount(starts, minlength=5) / len(starts)
    np.testing.assert_allclose(share, 0.2, atol=0.05)


def test_times_of_a_wide_range():
    """As many jumps in 1..3 as in 4..15, and in 16..63."""
    lengths = tf.fill([12_000], 100)
    noise = random.Noise(random.as_seed(0))
    first, second = draw_times(noise, lengths, (1, 63), "log_uniform")
    jump = np.asarray(second - first)
    assert jump.min() == 1 and jump.max() == 63
    share, _ = np.histogram(jump, [1, 4, 16, 64])
    np.testing.assert_allclose(share / len(jump), 1 / 3, atol=0.02)


def test_waves_of_the_jump():
    """Half a period in the longest jump, up to a quarter in one step."""
    model = td_vae(jump_range=(1, 8), jump_frequencies=3)
    told = tf.concat(model._told(tf.constant([8, 1])), axis=-1)
    turns = np.array([[8.0], [1.0]]) * [1 / 16, 1 / 8, 1 / 4]
    np.testing.assert_allclose(told[:, 0], [1.0, 1 / 8])
    np.testing.assert_allclose(
        told[:, 2:5], np.sin(2 * np.pi * turns), atol=2e-6
    )
    np.testing.assert_allclose(
        told[:, 5:], np.cos(2 * np.pi * turns), atol=2e-6
    )


def test_masks_ignore_padding_exactly(x):
    model = td_vae()
    lengths = np.array([7, 4, 5, 6, 7, 4])
    mask = np.arange(7) < lengths[:, None]
    padded = {"x": x * mask[..., None], "mask": mask}
    garbage = {"x": np.where(mask[..., None], x, 0.7), "mask": mask}
    for a, b in zip(
        terms_of(model, padded).values(), terms_of(model, garbage).values()
    ):
        np.testing.assert_array_equal(a, b)
    full = {"x": x, "mask": np.ones((6, 7), bool)}
    for a, b in zip(
        terms_of(model, full).values(), terms_of(model, x).values()
    ):
        np.testing.assert_array_equal(a, b)
    for row, length in enumerate(lengths):
        alone = model.filter(x[row : row + 1, :length])
        together = model.filter(padded)
        for one, all_rows in zip(alone, together):
            np.testing.assert_allclose(
                one.mean()[0], all_rows.mean()[row], rtol=1e-5, atol=1e-6
            )


def test_beliefs_state_by_state(x):
    model = td_vae()
    whole = model.belief(x)
    state, parts = None, []
    for t in range(7):
        part, state = model.belief(x[:, t : t + 1], state, return_state=True)
        parts.append(part)
    np.testing.assert_allclose(
        np.concatenate(parts, axis=1), whole, rtol=1e-5, atol=1e-6
    )


def test_beliefs_do_not_see_the_future(x):
    model = td_vae()
    before = np.asarray(model.belief(x))
    changed = x.copy()
    changed[:, 4] = 1 - changed[:, 4]
    after = np.asarray(model.belief(changed))
    np.testing.assert_array_equal(after[:, :4], before[:, :4])
    assert not np.allclose(after[:, 4:], before[:, 4:])


def test_gradients_reach_every_weight(x):
    model = td_vae()
    model.build(x.shape)
    # Both levels of the gates, where zero weights would stop them.
    with random.noise_scope(random.Noise(random.as_seed(0), len(x))):
        with tf.GradientTape() as tape:
            terms = model.compute_terms(tf.constant(x), None, True)
            loss = tf.add_n([tf.reduce_mean(t) for t in terms.values()])
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients):
        assert gradient is not None, variable.path
        assert np.abs(gradient).max() > 0, variable.path


def test_preprocessor_and_other_cells(x):
    model = keras_vae.TDVAE(
        keras.layers.GRU(3),
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)]),
        [2],
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)]),
        seed=0,
    )
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(x, epochs=10, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert model.rollout(x, 2).shape == (6, 1, 2, 4)


@pytest.mark.slow
def test_learns_the_direction_of_a_pixel():
    """One bright pixel that moves: the context tells where it goes."""
    image = np.zeros((1, 1, 6, 1), "float32")
    image[0, 0, 0] = 1.0
    x, _ = datasets.moving_images(image, 2048, length=8, seed=0)
    model = keras_vae.TDVAE(
        keras.layers.LSTM(32),
        keras_vae.networks.mlp_decoder(8, (1, 6, 1), units=(32,), seed=0),
        [8],
        hidden_units=32,
        jump_range=(1, 2),
        num_pairs=4,
        seed=0,
    )
    model.compile(keras.optimizers.Adam(3e-3), steps_per_execution=8)
    model.fit(x, batch_size=128, epochs=150, verbose=0)
    test, _ = datasets.moving_images(image, 200, length=8, seed=1)
    frames = np.asarray(model.rollout(test[:, :6], 2, num_samples=1, seed=0))
    found = frames[:, 0, :, 0, :, 0].argmax(axis=-1)
    expected = test[:, 6:, 0, :, 0].argmax(axis=-1)
    assert np.mean(found == expected) > 0.8


# === Bad input ===


def test_bad_sequences(x):
    model = td_vae(jump_range=(2, 3))
    model.compile()
    for bad, message in (
        (x[:, :2], "sequences of more than 2.*Received: a sequence of 2"),
        (x[0], "`x` must have shape"),
        ({"x": x, "mask": np.ones((6, 6), bool)}, "`mask` must have shape"),
        ({"x": x, "mask": np.arange(7) % 2 == np.zeros((6, 1))}, "mask.*gaps"),
        ({"y": x}, "'x' and 'mask'"),
        (x.astype("int32"), "floats"),
        (x + 0.5, "`x`"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(bad, verbose=0)
    with pytest.raises(ValueError, match="without a target"):
        model.fit(x, x, verbose=0)


def test_bad_times(x):
    model = td_vae(jump_range=(2, 3))
    for t1, t2 in ((3, 3), (4, 2), (-1, 2), (0, 7)):
        with pytest.raises(ValueError, match=f"Received: t1={t1}, t2={t2}"):
            model.smooth(x, t1, t2)
    for dt in (1, 4):
        with pytest.raises(ValueError, match=f"Received: dt={dt}"):
            model.jump(x, dt)
    with pytest.raises(ValueError, match="Received: dt=1"):
        model.rollout(x, 3)
    with pytest.raises(ValueError, match="`num_steps`"):
        td_vae().rollout(x, 0)
    with pytest.raises(ValueError, match="`condition_on_jump=True`"):
        td_vae(condition_on_jump=False).jump(x, 2)


def test_times_that_a_transition_of_one_length_does_not_know(x):
    model = td_vae(jump_range=(3, 3), condition_on_jump=False)
    for dt in (7, -5, 0, 1):
        with pytest.raises(ValueError, match=f"Received: dt={dt}"):
            model.jump(x, dt)
        with pytest.raises(ValueError, match=f"Received: dt={dt}"):
            model.elbo(x, dt)
    with pytest.raises(ValueError, match="Received: dt=1"):
        model.rollout(x, 2)
    assert model.jump(x, np.int64(3), np.int64(2)).shape == (6, 2, 4)
    assert model.elbo(x, 3).shape == (6, 4)
    # Single steps are of its transition, if it is not told of them.
    model = td_vae(jump_range=(1, 3), condition_on_jump=False)
    assert model.rollout(x, 2).shape == (6, 1, 2, 4)


def test_the_bound_takes_no_mask(x):
    mask = np.arange(7) < np.full((6, 1), 4)
    with pytest.raises(ValueError, match=r"Received: a dict of .*'mask'"):
        td_vae().elbo({"x": x, "mask": mask})


@pytest.mark.parametrize(
    "arguments",
    [
        {"latent_dims": []},
        {"jump_range": (0, 3)},
        {"jump_range": (3, 2)},
        {"num_pairs": 0},
        {"hidden_units": 0},
        {"beta": -1.0},
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="Received: "):
        td_vae(**arguments)


def test_networks_that_do_not_fit(x):
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    with pytest.raises(
        ValueError, match="`belief_network` must be a Keras RNN"
    ):
        keras_vae.TDVAE(decoder, decoder, [2])
    model = keras_vae.TDVAE(keras.layers.LSTM(3), decoder, [3])
    with pytest.raises(ValueError, match="`decoder` must take states"):
        model.build(x.shape)
