"""The weighted KL, its capacity, and its parts."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import keras_vae
from keras_vae import networks
from keras_vae import random
from keras_vae import schedules
from keras_vae.models import total_correlation as parts

SHAPE = (4, 4, 1)


def model_of(cls=keras_vae.BetaVAE, **kwargs):
    # The head of the posterior draws its weights from the global seed.
    keras.utils.set_random_seed(1)
    return cls(
        networks.mlp_encoder(SHAPE, (16,), seed=1),
        networks.mlp_decoder(3, SHAPE, (16,), seed=2),
        3,
        **{"seed": 3, **kwargs},
    )


def discriminated(**kwargs):
    return model_of(
        total_correlation="discriminator",
        discriminator=networks.mlp_decoder(3, (1,), (8,), seed=4),
        discriminator_optimizer=keras.optimizers.Adam(1e-3),
        **kwargs,
    )


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (40, *SHAPE)).astype("float32")


def terms_of(model, x, seed=5):
    model.build((None, *SHAPE))
    with random.noise_scope(random.Noise(random.as_seed(seed), len(x))):
        terms = model.compute_terms(tf.constant(x), None, False)
    return {name: np.asarray(value) for name, value in terms.items()}


def trained(model, x, **kwargs):
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    history = model.fit(
        x, batch_size=16, epochs=2, shuffle=False, verbose=0, **kwargs
    ).history
    return model.get_weights(), history


# === Weights ===


def test_beta_of_one_is_a_vae_bit_for_bit(x):
    weights, history = trained(model_of(beta=1.0), x)
    expected, expected_history = trained(model_of(keras_vae.VAE), x)
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert history == expected_history


def test_loss_and_bound(x):
    _, history = trained(model_of(beta=4.0), x)
    reconstruction, kl = (
        np.array(history[f"{name}_loss"]) for name in ("reconstruction", "kl")
    )
    np.testing.assert_allclose(
        history["loss"], reconstruction + 4 * kl, rtol=1e-5
    )
    np.testing.assert_allclose(
        history["neg_elbo"], reconstruction + kl, rtol=1e-5
    )


def test_a_total_correlation_of_weight_one_is_the_elbo(x):
    """The parts sum to a one-sample estimate of the KL."""
    model = model_of(total_correlation="weighted", num_examples=40, beta=1.0)
    terms = terms_of(model, np.repeat(x, 50, axis=0))
    total = sum(
        terms[f"{name}_loss"]
        for name in ("mutual_information", "total_correlation", "dimension_kl")
    )
    error = (total - terms["kl_loss"]).reshape(40, 50).std(axis=1) / 50**0.5
    found = total.reshape(40, 50).mean(axis=1)
    expected = terms["kl_loss"].reshape(40, 50).mean(axis=1)
    assert np.all(np.abs(found - expected) < 5 * error)


# === Capacity ===


def test_capacity_is_of_the_global_mean(x):
    model = model_of(capacity=schedules.LinearWarmUp(10, 0.5, 2.0))
    terms = terms_of(model, x)
    assert terms["capacity_loss"].shape == ()
    expected = abs(terms["kl_loss"].mean() - 0.5)
    # A small difference of numbers near 0.5 in float32.
    assert terms["capacity_loss"] == pytest.approx(expected, abs=1e-6)
    model.step.assign(5)
    expected = abs(terms["kl_loss"].mean() - 1.25)
    found = terms_of(model, x)["capacity_loss"]
    assert found == pytest.approx(expected, rel=1e-5)


def test_kl_follows_the_capacity(x):
    model = model_of(
        capacity=schedules.LinearWarmUp(300, 0.0, 3.0), gamma=100.0
    )
    model.compile(
        keras.optimizers.Adam(3e-3), jit_compile=False, steps_per_execution=50
    )
    batches = tf.data.Dataset.from_tensors(x).repeat()
    history = model.fit(
        batches, epochs=10, steps_per_epoch=50, verbose=0
    ).history
    # Means of 50 steps; the capacity is reached after 6 of them.
    kl = np.array(history["kl_loss"])
    assert np.all(np.abs(kl[6:] - 3.0) < 0.2)
    np.testing.assert_allclose(kl[1:6], np.arange(0.75, 3, 0.5), atol=0.4)


# === Total correlation ===


def gaussian(rho, num, seed=0):
    """Posteriors whose aggregate is a normal with correlation rho."""
    rng = np.random.default_rng(seed)
    covariance = np.array([[1.0, rho], [rho, 1.0]]) - 0.1 * np.eye(2)
    mean = rng.multivariate_normal([0.0, 0.0], covariance, num)
    mean = mean.astype("float32")
    scale = np.full_like(mean, np.sqrt(0.1))
    posterior = tfd.Independent(tfd.Normal(mean, scale), 1)
    z = mean + scale * rng.normal(size=mean.shape).astype("float32")
    return tf.constant(z), posterior


@pytest.mark.parametrize("kind", ["weighted", "stratified"])
@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_total_correlation_of_a_normal(kind, rho):
    """-1/2 log(1 - rho^2), with the whole data set as the batch."""
    z, posterior = gaussian(rho, 3000)
    prior = tfd.MultivariateNormalDiag(tf.zeros(2))
    information, correlation, rest = (
        np.array(value)
        for value in parts.decomposed_kl(z, posterior, prior, kind, 3000)
    )
    # The weighted estimate counts each example 1 / (N M) times: log M less.
    shift = np.log(3000) if kind == "weighted" else 0.0
    correlation -= shift
    rest += 2 * shift
    information -= shift
    expected = -0.5 * np.log(1 - rho**2)
    assert correlation.mean() == pytest.approx(expected, abs=0.06)
    determinant = (1 - rho**2) / 0.1**2
    assert information.mean() == pytest.approx(
        0.5 * np.log(determinant), abs=0.12
    )
    assert rest.mean() == pytest.approx(0.0, abs=0.1)


def test_weights_of_the_stratified_estimate():
    """Sums of a row: 1 for a batch of N; expectation 1 otherwise."""
    weights = np.exp(parts.log_weights("stratified", 0, 4, 4, 10))
    own, following, other = 1 / 10, (10 - 3) / (10 * 3), 1 / 3
    np.testing.assert_allclose(
        weights,
        [
            [own, following, other, other],
            [other, own, following, other],
            [other, other, own, following],
            [following, other, other, own],
        ],
        rtol=1e-6,
    )
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-6)
    rows = np.exp(parts.log_weights("stratified", 2, 2, 4, 10))
    np.testing.assert_allclose(rows, weights[2:])


def test_stratified_estimate_of_the_aggregate_is_unbiased():
    """q(z) of one z, over batches drawn from a small data set."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=8)
    density = np.exp(-0.5 * (0.3 - means) ** 2)
    totals = []
    for _ in range(1500):
        # The example z comes from is there; the others are drawn.
        others = rng.choice(np.arange(1, 8), 3, replace=False)
        batch = np.concatenate([[0], others])
        weights = np.exp(parts.log_weights("stratified", 0, 1, 4, 8))[0]
        totals.append(np.sum(weights * density[batch]))
    error = np.std(totals) / np.sqrt(len(totals))
    assert np.mean(totals) == pytest.approx(density.mean(), abs=4 * error)


def test_shuffled_units_are_the_same_numbers():
    z = tf.constant(np.arange(60.0).reshape(20, 3).astype("float32"))
    shuffled = np.asarray(
        parts.shuffled_units(z, random.Noise(random.as_seed(1)))
    )
    assert not np.array_equal(shuffled, z)
    for before, after in zip(np.asarray(z).T, shuffled.T):
        np.testing.assert_array_equal(np.sort(after), before)
    orders = [tuple(np.argsort(unit)) for unit in shuffled.T]
    assert len(set(orders)) == 3


# === Discriminator ===


def test_discriminator_terms_restated(x):
    model = discriminated()
    terms = terms_of(model, x)
    with random.noise_scope(random.Noise(random.as_seed(5), len(x))):
        _, _, z = model.terms_and_codes(tf.constant(x), None, False)
        shuffled = parts.shuffled_units(z[0], random.current_noise())
    real = np.asarray(model.discriminator(z[0]))[:, 0]
    fake = np.asarray(model.discriminator(shuffled))[:, 0]
    np.testing.assert_allclose(terms["total_correlation_loss"], real, rtol=1e-5)
    expected = 0.5 * (np.logaddexp(0, -real) + np.logaddexp(0, fake))
    np.testing.assert_allclose(terms["discriminator_loss"], expected, rtol=1e-5)


def test_each_optimizer_moves_its_own_weights(x):
    model = discriminated(beta=0.0)
    model.build((None, *SHAPE))
    discriminator = [np.array(w) for w in model.discriminator.weights]
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    encoder = [np.array(w) for w in model.encoder.weights]
    model.fit(x, epochs=1, verbose=0)
    for before, after in zip(encoder, model.encoder.weights):
        np.testing.assert_array_equal(before, after)
    assert not np.allclose(discriminator[0], model.discriminator.weights[0])
    assert int(model.discriminator_optimizer.iterations) == 2


def test_discriminator_finds_the_total_correlation():
    """Its logit tends to log q(z) - sum_d log q(z_d)."""
    rho = 0.9
    rng = np.random.default_rng(0)
    z = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 5000)
    z = tf.constant(z.astype("float32"))
    network = networks.mlp_decoder(2, (1,), (32, 32), seed=0)
    adam = keras.optimizers.Adam(3e-3)

    @tf.function
    def step(index):
        noise = random.Noise(random.fold_in(random.as_seed(0), index))
        with tf.GradientTape() as tape:
            real, fake = network(z), network(parts.shuffled_units(z, noise))
            loss = tf.reduce_mean(tf.nn.softplus(-real) + tf.nn.softplus(fake))
        weights = network.trainable_variables
        adam.apply(tape.gradient(loss, weights), weights)

    adam.build(network.trainable_variables)
    for index in range(300):
        step(tf.constant(index))
    expected = -0.5 * np.log(1 - rho**2)
    found = float(tf.reduce_mean(network(z)))
    assert found == pytest.approx(expected, rel=0.15)


def test_both_optimizers_survive_saving(x, tmp_path):
    model = discriminated()
    trained(model, x)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for name, optimizer in model.optimizers().items():
        other = loaded.optimizers()[name]
        assert int(other.iterations) == int(optimizer.iterations) == 6
        for a, b in zip(optimizer.variables, other.variables, strict=True):
            np.testing.assert_array_equal(a, b)
    for one in (model, loaded):
        one.fit(x, batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# === Errors ===


@pytest.mark.parametrize(
    ("argument", "kwargs"),
    [
        ("total_correlation", {"total_correlation": "exact"}),
        ("capacity", {"capacity": 1.0, "total_correlation": "weighted"}),
        ("capacity", {"capacity": -1.0}),
        ("gamma", {"capacity": 1.0, "gamma": -1.0}),
        ("num_examples", {"total_correlation": "weighted"}),
        ("discriminator", {"total_correlation": "discriminator"}),
        (
            "posterior",
            {
                "total_correlation": "weighted",
                "num_examples": 5,
                "posterior": "full_covariance_normal",
            },
        ),
        (
            "total_correlation",
            {
                "total_correlation": "weighted",
                "num_examples": 5,
                "num_samples": 2,
            },
        ),
        ("beta", {"beta": -1.0}),
        ("beta", {"beta": np.float32(-1.0)}),
        (
            "beta",
            {"beta": -1.0, "total_correlation": "weighted", "num_examples": 5},
        ),
    ],
)
def test_bad_arguments(argument, kwargs):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        model_of(**kwargs)


@pytest.mark.parametrize("batch_size", [None, 12])
@pytest.mark.parametrize("as_dataset", [False, True])
def test_batches_larger_than_the_training_set(as_dataset, batch_size):
    model = model_of(total_correlation="weighted", num_examples=11)
    model.compile("sgd")
    x = np.zeros((40, *SHAPE), "float32")
    size = batch_size or 32
    if as_dataset:
        x, batch_size = tf.data.Dataset.from_tensor_slices(x).batch(size), None
    with pytest.raises(ValueError, match=f"`num_examples`.* batches of {size}"):
        model.fit(x, batch_size=batch_size)
    assert model.step == 0


def test_a_batch_of_the_whole_training_set():
    model = model_of(total_correlation="stratified", num_examples=11)
    model.compile("sgd")
    x = np.zeros((11, *SHAPE), "float32")
    model.fit(x, batch_size=20, verbose=0)
    model.fit(x, batch_size=11, verbose=0)
    assert model.step == 2


@pytest.mark.parametrize(
    ("outputs", "activation", "message"),
    [(2, None, "logits"), (1, "sigmoid", "must be linear")],
)
def test_discriminators_that_do_not_fit(outputs, activation, message):
    model = model_of(
        total_correlation="discriminator",
        discriminator=keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(outputs, activation)]
        ),
        discriminator_optimizer=keras.optimizers.Adam(),
    )
    with pytest.raises(ValueError, match=f"`discriminator`.*{message}"):
        model.build((None, *SHAPE))
