"""Nearest codes, how they move, and that they neither die nor drift."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import layers
from keras_vae import random

K, D = 6, 3


def make(built=True, **kwargs):
    options = {"init_batches": 0, "dead_threshold": 0.0, "seed": 1} | kwargs
    layer = layers.VectorQuantizer(K, D, **options)
    if built:
        layer.build((None, D))
    return layer


@pytest.fixture
def z():
    return np.random.default_rng(0).normal(size=(5, 4, 2, D)).astype("float32")


def nearest(z, codebook):
    z, codebook = np.asarray(z, "float64"), np.asarray(codebook, "float64")
    return ((z[..., np.newaxis, :] - codebook) ** 2).sum(-1).argmin(-1)


def clusters(num, centres, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(centres), num)
    z = centres[labels] + noise * rng.normal(size=(num, centres.shape[1]))
    return z.astype("float32"), labels


CENTRES = 10.0 * np.random.default_rng(5).normal(size=(K, D))


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_codes_are_the_nearest(z, rank):
    z = z.reshape(
        {2: (-1, D), 3: (5, 8, D), 4: z.shape, 5: (5, 2, 2, 2, D)}[rank]
    )
    layer = make()
    z_q, indices = layer(z)
    expected = nearest(z, layer.codebook)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(
        z_q, np.asarray(layer.codebook)[expected], atol=1e-6
    )
    np.testing.assert_array_equal(layer.encode_indices(z), expected)


@pytest.mark.parametrize("code_dim", [None, 2])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_lookup_gives_what_call_gave(z, metric, code_dim):
    layer = make(metric=metric, code_dim=code_dim)
    z_q, indices = layer(z)
    assert z_q.shape == z.shape
    np.testing.assert_allclose(layer.lookup(indices), z_q, atol=1e-5)


def test_cosine_takes_the_smallest_angle(z):
    layer = make(metric="cosine")
    z_q, indices = layer(z)
    codes = np.asarray(layer.codebook, "float64")
    codes /= np.linalg.norm(codes, axis=-1, keepdims=True)
    np.testing.assert_array_equal(indices, (z @ codes.T).argmax(-1))
    np.testing.assert_allclose(np.linalg.norm(z_q, axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(layer(100 * z)[1], indices)


def test_cosine_codes_stay_on_the_sphere_while_they_move(z):
    layer = make(metric="cosine", init_batches=2, dead_threshold=0.1)
    for _ in range(4):
        layer(z, training=True)
    norms = np.linalg.norm(layer.codebook, axis=-1)
    np.testing.assert_allclose(norms, 1.0, rtol=1e-5)


def test_gradient_passes_straight_through(z):
    layer = make()
    weights = np.random.default_rng(1).normal(size=z.shape).astype("float32")
    x = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(weights * layer.quantize(x).z_q)
    np.testing.assert_allclose(tape.gradient(value, x), weights, rtol=1e-6)


def test_losses_are_sums_with_their_own_gradients(z):
    layer = make(ema_decay=None)
    x = tf.constant(z)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        _, indices, codebook_loss, commitment_loss = layer.quantize(x)
    e = np.asarray(layer.codebook, "float64")[indices]
    expected = ((z - e) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(codebook_loss, expected, rtol=1e-5)
    np.testing.assert_allclose(commitment_loss, expected, rtol=1e-5)
    np.testing.assert_allclose(
        tape.gradient(commitment_loss, x), 2 * (z - e), rtol=1e-4, atol=1e-6
    )
    assert tape.gradient(codebook_loss, x) is None
    gradient = tf.convert_to_tensor(
        tape.gradient(codebook_loss, layer.codebook.value)
    )
    by_code = np.zeros((K, D))
    np.add.at(by_code, np.asarray(indices).ravel(), 2 * (e - z).reshape(-1, D))
    np.testing.assert_allclose(gradient, by_code, rtol=1e-4, atol=1e-5)


def test_moving_averages_have_no_codebook_loss_and_no_gradient(z):
    layer = make()
    assert layer.quantize(z).codebook_loss is None
    assert layer.trainable_weights == []


def test_alone_it_adds_its_loss(z):
    layer = make(ema_decay=None, commitment_weight=0.5)
    layer(z)
    (loss,) = layer.losses
    distance = (z - np.asarray(layer.codebook)[nearest(z, layer.codebook)]) ** 2
    np.testing.assert_allclose(loss, 1.5 * distance.sum() / 5, rtol=1e-5)
    layer = make(ema_decay=None)
    layer.quantize(z)
    assert layer.losses == []


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_moving_averages_are_those_of_numpy(decay):
    layer = make(ema_decay=decay, epsilon=1e-5)
    codes = np.asarray(layer.codebook, "float64")
    counts, sums, weight = np.zeros(K), np.zeros((K, D)), 0.0
    rng = np.random.default_rng(3)
    for _ in range(5):
        z = rng.normal(size=(40, D)).astype("float32")
        chosen = np.eye(K)[nearest(z, codes)]
        layer(z, training=True)
        weight = decay * weight + 1 - decay
        counts = decay * counts + (1 - decay) * chosen.sum(0)
        sums = decay * sums + (1 - decay) * chosen.T @ z
        codes = (sums / weight + 1e-5 * codes) / (
            counts[:, np.newaxis] / weight + 1e-5
        )
        np.testing.assert_allclose(layer.codebook, codes, rtol=1e-4, atol=1e-5)


def test_zero_debiased_the_first_step_is_the_mean_of_the_batch(z):
    layer = make()
    before = np.asarray(layer.codebook)
    chosen = nearest(z, before)
    layer(z, training=True)
    for k in range(K):
        mine = z[chosen == k]
        # A code that nothing chose stays where it is.
        expected = mine.mean(0) if len(mine) else before[k]
        np.testing.assert_allclose(layer.codebook[k], expected, atol=1e-4)


def test_nothing_moves_in_evaluation_or_frozen(z):
    layer = make(init_batches=3, dead_threshold=0.5)
    before = [np.asarray(w) for w in layer.weights]
    layer(z)
    layer.trainable = False
    layer(z, training=True)
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


@pytest.mark.parametrize("ema_decay", [0.9, None])
def test_codes_begin_as_vectors_of_the_data_then_k_means(ema_decay):
    z, _ = clusters(60, CENTRES)
    # From some draws two codes share a cluster for long, not from this one.
    layer = make(
        ema_decay=ema_decay, init_batches=30, dead_threshold=0.1, seed=5
    )
    _, indices = layer(z, training=True)
    # Distinct vectors of the batch, so that one is at distance zero.
    assert len(np.unique(indices)) == K
    for step in range(30):
        z, _ = clusters(60, CENTRES, seed=step)
        layer(z, training=True)
    z, labels = clusters(60, CENTRES, seed=99)
    distances = np.linalg.norm(z - np.asarray(layer(z)[0]), axis=-1)
    assert np.median(distances) < 0.1


def test_fewer_vectors_than_codes_fill_the_codebook():
    z = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "float32")
    layer = make(init_batches=1)
    layer(z, training=True)
    for code in np.asarray(layer.codebook):
        assert min(np.abs(code - z).max(1)) < 1e-5


def drawn(total, num, seed):
    """Which of `total` rows codes would be put upon."""
    codes = layers.VectorQuantizer(num, 1).codes
    rows = tf.range(total, dtype="float32")[:, tf.newaxis]
    return np.ravel(codes._draw(rows, random.Noise(random.as_seed(seed))))


@pytest.mark.parametrize(
    ("total", "num"), [(8, 8), (9, 8), (12, 8), (100, 64), (2**20, 4096)]
)
def test_rows_that_codes_are_put_upon_are_distinct(total, num):
    for seed in range(20 if total < 200 else 1):
        rows = drawn(total, num, seed)
        assert len(np.unique(rows)) == num
        assert 0 <= rows.min() and rows.max() < total
        np.testing.assert_array_equal(rows, np.round(rows))


def test_rows_that_codes_are_put_upon_are_uniform():
    counts = sum(
        np.bincount(drawn(7, 3, seed).astype(int), minlength=7)
        for seed in range(700)
    )
    np.testing.assert_allclose(counts, 300, atol=60)
    # Of fewer rows than codes all are taken, equally often.
    counts = np.bincount(drawn(3, 8, 0).astype(int))
    assert sorted(counts) == [2, 3, 3]


def test_rows_that_codes_are_put_upon_in_a_graph(mirrored):
    """Of any number of rows, and the same whatever share a replica has."""
    codes = layers.VectorQuantizer(8, 1).codes

    def draw(flat, seed):
        return codes._draw(flat, random.Noise(seed, tf.shape(flat)[0]))

    specs = [tf.TensorSpec((None, 1)), tf.TensorSpec((2,), "int32")]
    one = tf.function(draw, input_signature=specs)
    two = tf.function(lambda flat, seed: mirrored.run(draw, (flat, seed)))

    for total, first in ((13, 9), (13, 13), (5, 2)):
        rows = tf.range(total, dtype="float32")[:, tf.newaxis]
        seed = random.as_seed(total)
        parts = [rows[:first], rows[first:]]
        shares = mirrored.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )
        expected = one(rows, seed)
        eager = drawn(total, 8, total)
        np.testing.assert_array_equal(np.ravel(expected), eager)
        for found in mirrored.experimental_local_results(two(shares, seed)):
            np.testing.assert_array_equal(found, expected)
    assert one(tf.zeros([0, 1]), random.as_seed(0)).shape == (8, 1)


@pytest.mark.parametrize("ema_decay", [0.9, None])
def test_dead_codes_come_back_with_their_averages(ema_decay):
    z, _ = clusters(200, CENTRES)
    layer = make(ema_decay=ema_decay, dead_threshold=0.05)
    far = np.full((K, D), 1e3, "float32")
    far[0] = 0.0
    layer.codebook.assign(far)
    used = []
    for step in range(80):
        z, _ = clusters(200, CENTRES, seed=step)
        _, indices = layer(z, training=True)
        used.append(len(np.unique(indices)))
    assert used[0] == 1
    # One that has just been put somewhere may not be chosen yet.
    assert np.mean(used[-20:]) > K - 1
    assert np.abs(layer.codebook).max() < 100


def test_without_replacement_they_stay_dead():
    layer = make(dead_threshold=0.0)
    far = np.full((K, D), 1e3, "float32")
    far[0] = 0.0
    layer.codebook.assign(far)
    for step in range(5):
        z, _ = clusters(50, CENTRES, seed=step)
        _, indices = layer(z, training=True)
    np.testing.assert_array_equal(indices, 0)
    np.testing.assert_array_equal(layer.codebook[1:], far[1:])


def test_a_single_update_resets_the_averages_of_a_dead_code():
    z, _ = clusters(200, CENTRES)
    layer = make(dead_threshold=0.05)
    far = np.full((K, D), 1e3, "float32")
    far[0] = 0.0
    layer.codebook.assign(far)
    layer(z, training=True)
    codes = layer.codes
    ratio = codes.ema_sums / codes.ema_counts[:, np.newaxis]
    np.testing.assert_allclose(ratio, layer.codebook, rtol=1e-4)
    assert float(tf.reduce_min(codes.ema_counts)) > 0.0


def model_alone(layer):
    inputs = keras.Input((4, D))
    z = keras.layers.Dense(D, kernel_initializer="identity")(inputs)
    z_q, _ = layer(z)
    return keras.Model(inputs, z_q)


def test_it_works_in_any_model_and_its_metrics_reach_the_logs():
    keras.utils.set_random_seed(0)
    z, _ = clusters(64 * 4, CENTRES)
    z = z.reshape(64, 4, D)
    layer = make(built=False, init_batches=5, dead_threshold=0.05)
    model = model_alone(layer)
    model.compile(keras.optimizers.SGD(1e-4), loss="mse")
    history = model.fit(
        z, z, batch_size=16, epochs=6, validation_data=(z, z), verbose=0
    ).history
    for name in ("perplexity", "usage", "val_perplexity", "val_usage"):
        assert len(history[name]) == 6
    assert history["loss"][-1] < history["loss"][0] / 2
    # k-means from random vectors may put two codes upon one of six clusters.
    assert history["val_usage"][-1] >= 4 / K
    # Of the epoch: that of the data, whatever the batch size.
    counts = np.bincount(
        np.asarray(layer.encode_indices(model.layers[1](z))).ravel()
    )
    share = counts[counts > 0] / counts.sum()
    expected = np.exp(-(share * np.log(share)).sum())
    for batch_size in (3, 64):
        logs = model.evaluate(
            z, z, batch_size=batch_size, verbose=0, return_dict=True
        )
        np.testing.assert_allclose(logs["perplexity"], expected, rtol=1e-5)


@pytest.mark.parametrize("from_data", [False, True])
def test_codebooks_of_replicas_are_equal_bit_by_bit(from_data, mirrored):
    batches = [clusters(32, CENTRES, seed=s)[0] for s in range(20)]

    def train(strategy):
        with strategy.scope():
            layer = make(
                init_batches=3 if from_data else 0,
                dead_threshold=0.05 if from_data else 0.0,
            )
            if not from_data:
                layer.codebook.assign(CENTRES + 0.5)

        @tf.function
        def step(z, index):
            def run(z):
                seed = random.step_seed(3, "train", index)
                noise = random.Noise(seed, tf.shape(z)[0])
                with random.noise_scope(noise):
                    layer(z, training=True)

            strategy.run(run, (z,))

        for index, z in enumerate(batches):
            if strategy.num_replicas_in_sync == 1:
                step(tf.constant(z), tf.constant(index))
            else:
                # Ragged shares.
                parts = [z[:20], z[20:]]
                values = strategy.experimental_distribute_values_from_function(
                    lambda c: tf.constant(parts[c.replica_id_in_sync_group])
                )
                step(values, tf.constant(index))
        return layer

    one, two = train(tf.distribute.get_strategy()), train(mirrored)
    for weight in two.weights:
        copies = mirrored.experimental_local_results(weight.value)
        np.testing.assert_array_equal(*[c.numpy() for c in copies])
    # Two codes in one cluster share it as rounding decides.
    if not from_data:
        np.testing.assert_allclose(two.codebook, one.codebook, rtol=1e-5)


def test_alone_under_a_strategy_codebooks_stay_equal(mirrored):
    z, _ = clusters(64, CENTRES)
    z = z.reshape(16, 4, D)
    with mirrored.scope():
        layer = make(built=False, init_batches=2, dead_threshold=0.1)
        model = model_alone(layer)
        model.compile(keras.optimizers.SGD(1e-4), loss="mse")
    logs = model.fit(z, z, batch_size=8, epochs=3, verbose=0).history
    for weight in layer.codes.weights:
        copies = mirrored.experimental_local_results(weight.value)
        np.testing.assert_array_equal(*[c.numpy() for c in copies])
    assert 1.0 <= logs["perplexity"][-1] <= K


def test_mixed_precision_leaves_the_codebook_in_float32(z):
    layer = make(dtype="mixed_bfloat16", init_batches=1)
    z_q, indices = layer(tf.cast(z, "bfloat16"), training=True)
    assert z_q.dtype == "bfloat16"
    assert indices.dtype == "int32"
    assert all(
        w.dtype == "float32"
        for w in layer.weights
        if "int" not in w.dtype and "uint" not in w.dtype
    )
    assert layer.lookup(indices).dtype == "float32"


def test_mixed_precision_reaches_the_projections(z):
    layer = make(dtype="mixed_bfloat16", code_dim=2)
    assert layer.project_in(z).dtype == "bfloat16"
    assert layer.project_out(z[..., :2]).dtype == "bfloat16"
    # Distances and losses are of single precision.
    quantized = layer.quantize(tf.cast(z, "bfloat16"))
    assert quantized.z_q.dtype == "bfloat16"
    assert quantized.commitment_loss.dtype == "float32"
    assert layer.codebook.dtype == layer.project_in.kernel.dtype == "float32"
    copy = layers.VectorQuantizer.from_config(layer.get_config())
    assert copy.project_in.compute_dtype == "bfloat16"


def test_saving_keeps_the_averages(z, tmp_path):
    model = model_alone(make(built=False, init_batches=2))
    model.compile(keras.optimizers.SGD(1e-3), loss="mse")
    x = z.reshape(10, 4, D)
    model.fit(x, x, batch_size=5, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    saved, read = model.layers[-1].codes, loaded.layers[-1].codes
    assert int(read.updates) == 4
    for name in ("vectors", "ema_counts", "ema_sums", "ema_weight"):
        np.testing.assert_array_equal(getattr(read, name), getattr(saved, name))


@pytest.mark.parametrize("scale", [1e-30, 1e18])
def test_extreme_vectors_stay_finite(z, scale):
    for metric in ("euclidean", "cosine"):
        layer = make(metric=metric, init_batches=2, dead_threshold=0.1)
        layer(scale * z, training=True)
        z_q, _ = layer(scale * z)
        assert np.isfinite(z_q).all()
        assert np.isfinite(layer.codebook).all()


def test_an_empty_batch_changes_no_code(z):
    layer = make(init_batches=0, dead_threshold=0.1)
    layer(z, training=True)
    before = np.asarray(layer.codebook)
    z_q, indices = layer(z[:0], training=True)
    assert z_q.shape == (0, 4, 2, D) and indices.shape == (0, 4, 2)
    np.testing.assert_allclose(layer.codebook, before, rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_embeddings": 1}, "num_embeddings"),
        ({"embedding_dim": 0}, "embedding_dim"),
        ({"commitment_weight": -1.0}, "commitment_weight"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"init_batches": -1}, "init_batches"),
        ({"dead_threshold": 1.0}, "dead_threshold"),
        ({"code_dim": 0}, "code_dim"),
        ({"metric": "manhattan"}, "metric"),
    ],
)
def test_bad_arguments(arguments, message):
    arguments = {"num_embeddings": K, "embedding_dim": D} | arguments
    with pytest.raises(ValueError, match=message):
        layers.VectorQuantizer(**arguments)


def test_bad_shapes_and_indices(z):
    with pytest.raises(ValueError, match="embedding_dim=3"):
        make(built=False)(np.zeros((2, 4), "float32"))
    layer = make()
    with pytest.raises(ValueError, match=r"\[0, 6\).*\[0, 6\]"):
        layer.lookup([0, K])
    with pytest.raises(ValueError, match="integers"):
        layer.lookup([0.5])
