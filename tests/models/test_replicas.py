"""N replicas train exactly like one, stochastic models included."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.models.base import TermModel


@keras.saving.register_keras_serializable(package="keras_vae_tests")
class WeightedSquares(TermModel):
    """Deterministic model with a batch statistic and a second optimizer."""

    def __init__(self, statistic_optimizer, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(3, kernel_regularizer="l2")
        self.statistic = keras.layers.Dense(1)
        self.statistic_optimizer = statistic_optimizer
        self.add_group("statistic", self.statistic, statistic_optimizer)
        self.add_term("square", elbo=True)
        self.add_term("mean_square", weight=0.5)
        self.add_term("statistic_loss", group="statistic")

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.statistic.build((None, 3))
        self.build_groups()

    def call(self, x, training=False):
        return self.dense(x)

    def compute_terms(self, x, y, training):
        out = self.dense(x)
        total, count = keras_vae.random.all_reduce_sum(
            [
                tf.reduce_sum(out, axis=0),
                tf.cast(tf.shape(out)[0], "float32"),
            ]
        )
        statistic = self.statistic(tf.stop_gradient(out))[:, 0]
        return {
            "square": tf.reduce_sum((out - 1.0) ** 2, axis=1),
            "mean_square": tf.reduce_sum((total / count) ** 2),
            "statistic_loss": (statistic - 2.0) ** 2,
        }


def squares():
    return WeightedSquares(keras.optimizers.SGD(0.05, momentum=0.9), seed=3)


def vae(**kwargs):
    encoder = keras_vae.networks.mlp_encoder((4, 4, 1), units=(16,))
    decoder = keras_vae.networks.mlp_decoder(3, (4, 4, 1), units=(16,))
    return keras_vae.VAE(encoder, decoder, 3, seed=3, **kwargs)


MODELS = {
    "squares": squares,
    "elbo": vae,
    "iwae": lambda: vae(objective="iwae", num_samples=3),
    "mixture": lambda: vae(prior=keras_vae.priors.MixturePrior(2)),
    "optimal": lambda: vae(
        likelihood=keras_vae.likelihoods.Normal(scale="optimal")
    ),
    "warm_up": lambda: vae(beta=keras_vae.schedules.LinearWarmUp(7)),
}


def data(model, rows):
    generator = np.random.default_rng(5)
    if model == "squares":
        return generator.normal(size=(rows, 4)).astype("float32")
    return generator.uniform(size=(rows, 4, 4, 1)).astype("float32")


def train(model, rows, batch_size, strategy, weighted=False, **optimizer):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        built = MODELS[model]()
        settings = {"learning_rate": 0.01, "momentum": 0.9} | optimizer
        built.compile(keras.optimizers.SGD(**settings))
    x = data(model, rows)
    weight = None
    if weighted:
        weight = np.linspace(0.0, 2.0, rows).astype("float32")
    history = built.fit(
        x,
        sample_weight=weight,
        batch_size=batch_size,
        epochs=3,
        shuffle=False,
        verbose=0,
    )
    logs = built.evaluate(x, batch_size=batch_size, verbose=0, return_dict=True)
    values = [keras.ops.convert_to_numpy(v) for v in built.weights]
    return values, history.history, logs


def assert_equal(one, two):
    for a, b in zip(one[0], two[0], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for name in one[1]:
        np.testing.assert_allclose(one[1][name], two[1][name], rtol=2e-5)
    for name in one[2]:
        np.testing.assert_allclose(one[2][name], two[2][name], rtol=2e-5)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("rows", "batch_size"),
    [(23, 8), (17, 8), (27, 13)],
    ids=["ragged", "empty_shard", "odd"],
)
def test_two_replicas_equal_one(model, rows, batch_size, mirrored):
    one = train(model, rows, batch_size, tf.distribute.get_strategy())
    two = train(model, rows, batch_size, mirrored)
    assert_equal(one, two)


@pytest.mark.parametrize(
    "clip", [{"clipnorm": 0.01}, {"global_clipnorm": 0.01}, {"clipvalue": 1e-3}]
)
def test_clipping_acts_on_the_global_gradient(clip, mirrored):
    default = tf.distribute.get_strategy()
    one = train("squares", 23, 8, default, **clip)
    two = train("squares", 23, 8, mirrored, **clip)
    free = train("squares", 23, 8, default)
    assert_equal(one, two)
    assert max(np.abs(a - b).max() for a, b in zip(one[0], free[0])) > 1e-3


@pytest.mark.parametrize("model", ["squares", "elbo"])
def test_sample_weights_are_global(model, mirrored):
    default = tf.distribute.get_strategy()
    one = train(model, 23, 8, default, weighted=True)
    two = train(model, 23, 8, mirrored, weighted=True)
    assert_equal(one, two)


def test_batch_size_one_hundred_is_not_scaled_by_replicas():
    """Plain gradient descent by hand, to anchor what both must equal."""
    keras.utils.set_random_seed(1)
    model = squares()
    model.compile(keras.optimizers.SGD(0.1))
    x = data("squares", 6)
    model.build((None, 4))
    kernel, bias = (v.numpy() for v in model.dense.weights)
    model.train_on_batch(x)
    out = x @ kernel + bias
    by_out = 2.0 * (out - 1.0) / 6 + 0.5 * 2.0 * out.mean(0) / 6
    by_kernel = x.T @ by_out + 2 * 0.01 * kernel
    np.testing.assert_allclose(
        model.dense.kernel.numpy(), kernel - 0.1 * by_kernel, atol=1e-6
    )


def test_log_likelihood_is_ordered_and_close_across_replicas(mirrored):
    x = (data("elbo", 7) > 0.5).astype("float32")
    values = []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            model = vae()
        values.append(model.log_likelihood(x, num_samples=200, batch_size=4))
    np.testing.assert_allclose(*values, atol=1e-4)


@pytest.mark.parametrize("where", ["decoder", "encoder"])
def test_noise_of_layers_inside_the_networks(where, mirrored):
    """Axes that are not the batch: flattened samples, pseudo-inputs."""

    def noisy(sizes):
        inputs = keras.Input((sizes[0],))
        constant = keras.layers.Rescaling(0.0, offset=-2.0)(inputs)
        z = keras_vae.layers.Sampling(seed=0)([inputs, constant])
        return keras.Model(inputs, keras.layers.Dense(sizes[1])(z))

    def model():
        if where == "decoder":
            inputs = keras.Input((3,))
            x = keras.layers.Reshape((4, 4, 1))(noisy((3, 16))(inputs))
            return keras_vae.VAE(
                keras_vae.networks.mlp_encoder((4, 4, 1), units=(16,)),
                keras.Model(inputs, x),
                3,
                num_samples=2,
                seed=3,
            )
        inputs = keras.Input((4, 4, 1))
        features = noisy((16, 8))(keras.layers.Flatten()(inputs))
        return keras_vae.VAE(
            keras.Model(inputs, features),
            keras_vae.networks.mlp_decoder(3, (4, 4, 1), units=(16,)),
            3,
            prior=keras_vae.priors.VampPrior(5),
            seed=3,
        )

    MODELS[where] = model
    try:
        one = train(where, 23, 8, tf.distribute.get_strategy())
        two = train(where, 23, 8, mirrored)
    finally:
        del MODELS[where]
    assert_equal(one, two)


# === Embeddings ===


@keras.saving.register_keras_serializable(package="keras_vae_tests")
class Looked(TermModel):
    """Sums of rows of a table, of which each example takes some twice."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = keras.layers.Embedding(4, 2)
        self.add_term("linear")

    def build(self, input_shape):
        self.table.build(input_shape)

    def call(self, x, training=False):
        return self.table(x)

    def compute_terms(self, x, y, training):
        # Gradients of one row that differ: its place in the sequence counts.
        place = tf.range(1.0, 4.0)[:, tf.newaxis]
        return {"linear": tf.reduce_sum(place * self.table(x), axis=(1, 2))}


def step_of_table(optimizer, strategy):
    with strategy.scope():
        model = Looked(seed=0)
        model.compile(optimizer())
        model.build((None, 3))
    x = np.array([[0, 0, 1], [1, 2, 2]])
    before = keras.ops.convert_to_numpy(model.table.embeddings)
    model.fit(x, batch_size=2, verbose=0)
    return before - keras.ops.convert_to_numpy(model.table.embeddings)


def test_repeated_rows_of_an_embedding_are_one_gradient(mirrored):
    """Row 0: 1 + 2 of 2 examples; row 1: 3 + 1; row 2: 2 + 3; row 3 none."""
    gradient = np.array([3.0, 4.0, 5.0, 0.0])[:, None] / 2 * np.ones(2)
    clipped = gradient / np.linalg.norm(gradient)
    for strategy in (tf.distribute.get_strategy(), mirrored):
        plain = step_of_table(lambda: keras.optimizers.SGD(1.0), strategy)
        np.testing.assert_allclose(plain, gradient, rtol=1e-5, atol=1e-6)
        norm = step_of_table(
            lambda: keras.optimizers.SGD(1.0, global_clipnorm=1.0), strategy
        )
        np.testing.assert_allclose(norm, clipped, rtol=1e-5, atol=1e-6)
        # The first step of Adam is the learning rate, whatever the gradient.
        adam = step_of_table(lambda: keras.optimizers.Adam(0.1), strategy)
        np.testing.assert_allclose(
            adam, 0.1 * np.sign(gradient), rtol=1e-4, atol=1e-6
        )


# === Accumulated gradients ===


def autoencoder():
    networks = keras_vae.networks
    encoder = networks.mlp_encoder((4, 4, 1), units=(16, 3))
    decoder = networks.mlp_decoder(3, (4, 4, 1), units=(16,))
    return keras_vae.Autoencoder(encoder, decoder, seed=3)


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        (keras.optimizers.SGD, {"momentum": 0.9}),
        (keras.optimizers.SGD, {"global_clipnorm": 0.01}),
        (keras.optimizers.Adam, {}),
    ],
    ids=["momentum", "clipped", "adam"],
)
def test_accumulated_steps_equal_one_of_the_joined_batch(optimizer, settings):
    """Three steps of 4 examples against one of 12, three times."""
    x = data("elbo", 36)
    weights = []
    for steps in (None, 3):
        keras.utils.set_random_seed(1)
        model = autoencoder()
        model.compile(
            optimizer(0.01, gradient_accumulation_steps=steps, **settings)
        )
        batch_size = 12 // (steps or 1)
        model.fit(x, batch_size=batch_size, shuffle=False, verbose=0)
        assert int(model.step) == 3 * (steps or 1)
        weights.append([v.numpy() for v in model.trainable_weights])
    for one, three in zip(*weights, strict=True):
        np.testing.assert_allclose(three, one, atol=2e-6)


def test_steps_between_change_nothing():
    model = autoencoder()
    model.compile(keras.optimizers.SGD(1.0, gradient_accumulation_steps=3))
    model.build((None, 4, 4, 1))
    before = [v.numpy() for v in model.trainable_weights]
    model.fit(data("elbo", 8), batch_size=4, verbose=0)
    for old, new in zip(before, model.trainable_weights, strict=True):
        np.testing.assert_array_equal(new.numpy(), old)


@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
def test_under_a_strategy_accumulation_is_an_error(mirrored, scaled):
    with mirrored.scope():
        model = autoencoder()
        optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
        if scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        model.compile(optimizer)
    with pytest.raises(ValueError, match="gradient_accumulation_steps=2"):
        model.fit(data("elbo", 8), batch_size=4, verbose=0)


def convolutional():
    return keras_vae.VAE(
        keras_vae.networks.conv_encoder((4, 4, 1), filters=(4,)),
        keras_vae.networks.conv_decoder(2, (4, 4, 1), filters=(4,)),
        2,
        likelihood=keras_vae.likelihoods.Normal(1.0),
        seed=3,
    )


@pytest.mark.parametrize("method", ["elbo", "log_likelihood", "predict"])
def test_a_replica_without_examples(method, mirrored):
    x = data("elbo", 3)
    alone = convolutional()
    alone.build((None, 4, 4, 1))
    with mirrored.scope():
        model = convolutional()
        model.build((None, 4, 4, 1))
    model.set_weights(alone.get_weights())
    kwargs = {"log_likelihood": {"num_samples": 5}}.get(method, {})
    expected = getattr(alone, method)(x, batch_size=2, **kwargs)
    found = getattr(model, method)(x, batch_size=2, **kwargs)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_noise_of_no_batch_where_a_replica_has_no_examples(mirrored):
    with mirrored.scope():
        encoder = keras.Sequential(
            [
                keras.Input((4, 4, 1)),
                keras_vae.layers.MaskingNoise(0.5),
                keras_vae.networks.mlp_encoder((4, 4, 1), units=(8,)),
            ]
        )
        decoder = keras_vae.networks.mlp_decoder(2, (4, 4, 1), units=(8,))
        prior = keras_vae.priors.VampPrior(5)
        model = keras_vae.VAE(encoder, decoder, 2, prior=prior, seed=3)
        model.compile("sgd")
    history = model.fit(data("elbo", 5), batch_size=4, verbose=0).history
    assert np.isfinite(history["loss"][0])
