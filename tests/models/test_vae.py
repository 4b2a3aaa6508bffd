"""Bounds, generation and persistence of the VAE."""

import keras
import numpy as np
import pytest
from scipy import special

import keras_vae


def vae(**kwargs):
    encoder = keras_vae.networks.mlp_encoder((8, 8, 1), units=(16,))
    decoder = keras_vae.networks.mlp_decoder(2, (8, 8, 1), units=(16,))
    return keras_vae.VAE(encoder, decoder, 2, **kwargs)


@pytest.fixture(scope="module")
def trained(digits):
    keras.utils.set_random_seed(0)
    model = vae(seed=0)
    model.compile(keras.optimizers.Adam(5e-3))
    x = (digits > 0.5).astype("float32")
    model.fit(x, batch_size=64, epochs=8, verbose=0)
    return model


def exact_log_likelihood(model, x):
    """log p(x) by a fine grid over the two latents, float64."""
    axis = np.linspace(-6.0, 6.0, 241)
    step = axis[1] - axis[0]
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    logits = model.decoder(grid.astype("float32")).numpy().astype("float64")
    logits = logits.reshape(len(grid), -1)
    log_prior = -0.5 * np.sum(grid**2, 1) - np.log(2 * np.pi)
    flat = x.reshape(len(x), -1).astype("float64")
    log_joint = flat @ logits.T - np.logaddexp(0.0, logits).sum(1)
    return special.logsumexp(log_joint + log_prior, axis=1) + 2 * np.log(step)


def test_log_likelihood_is_the_integral(trained, binary_digits):
    x = binary_digits[:20]
    exact = exact_log_likelihood(trained, x)
    # Importance weights are heavy-tailed: many samples, and the mean matters.
    estimate = trained.log_likelihood(x, num_samples=40000, batch_size=7)
    np.testing.assert_allclose(estimate, exact, atol=0.15)
    assert abs(np.mean(estimate - exact)) < 0.02


def test_bounds_are_ordered(trained, binary_digits):
    x = binary_digits[:100]
    elbo = np.mean(trained.elbo(x, num_samples=500))
    one = np.mean(
        [trained.log_likelihood(x, 1, seed=s).mean() for s in range(200)]
    )
    five = np.mean(
        [trained.log_likelihood(x, 5, seed=s).mean() for s in range(50)]
    )
    many = trained.log_likelihood(x, num_samples=3000).mean()
    # A one-sample bound is the ELBO, in expectation.
    assert one == pytest.approx(elbo, abs=0.1)
    assert elbo + 0.05 < five < many


def test_evaluation_reports_the_negative_elbo(trained, binary_digits):
    x = binary_digits[:500]
    logs = trained.evaluate(x, batch_size=100, verbose=0, return_dict=True)
    elbo = trained.elbo(x, num_samples=20).mean()
    assert logs["neg_elbo"] == pytest.approx(-elbo, abs=0.3)


def test_streaming_does_not_depend_on_chunks(trained, binary_digits):
    """Chunks that do not divide num_samples leave nothing out, or in."""
    keras_vae_rows = keras_vae.models.importance_weighted._ROWS_AT_ONCE
    for count in (1, 2, keras_vae_rows - 1, keras_vae_rows + 1):
        value = trained.log_likelihood(binary_digits[:1], num_samples=count)
        assert np.isfinite(value).all()
    model = vae(seed=0)
    model.build((None, 8, 8, 1))
    # With the prior as posterior and a constant decoder all weights are equal.
    for variable in [*model.posterior_layer.weights, *model.decoder.weights]:
        variable.assign(np.zeros(variable.shape))
    exact = -64 * np.log(2.0)
    for count in (1, 3, 1999, 2001, 4500):
        value = model.log_likelihood(binary_digits[:3], num_samples=count)
        np.testing.assert_allclose(value, exact, atol=2e-3)


def test_no_overflow_where_weights_are_extreme(binary_digits):
    model = vae(likelihood=keras_vae.likelihoods.Normal(scale=1e-3), seed=0)
    value = model.log_likelihood(binary_digits[:3], num_samples=50)
    assert np.isfinite(value).all()
    assert np.all(value < -1e4)


def test_sampling_follows_the_seed(trained):
    first, same = (trained.sample(4, seed=3).numpy() for _ in "ab")
    np.testing.assert_array_equal(first, same)
    other = trained.sample(4, seed=4).numpy()
    assert np.abs(first - other).max() > 0.01
    fresh = [trained.sample(4).numpy() for _ in "ab"]
    assert np.abs(fresh[0] - fresh[1]).max() > 0.01
    keras.utils.set_random_seed(7)
    one = trained.sample(4).numpy()
    keras.utils.set_random_seed(7)
    np.testing.assert_array_equal(one, trained.sample(4).numpy())
    with pytest.raises(ValueError, match="two integers"):
        trained.sample(4, seed=np.zeros(3, "int32"))
    cold = trained.sample(4, temperature=0.0).numpy()
    np.testing.assert_allclose(cold, np.repeat(cold[:1], 4, 0), atol=1e-6)
    mean = trained.decode(np.zeros((1, 2)))
    np.testing.assert_allclose(cold[:1], mean, atol=1e-6)


def test_lines_end_where_they_should(trained, binary_digits):
    start, end = binary_digits[:3], binary_digits[3:6]
    line = trained.interpolate(start, end, num=5)
    assert line.shape == (3, 5, 8, 8, 1)
    np.testing.assert_allclose(
        line[:, 0], trained.reconstruct(start), atol=1e-5
    )
    np.testing.assert_allclose(line[:, -1], trained.reconstruct(end), atol=1e-5)


def test_traversals_move_one_unit(trained, binary_digits):
    x = binary_digits[0]
    z = trained.encode(x[None]).numpy()[0]
    grid = trained.traverse(x, units=[1], values=[z[1], 2.0])
    assert grid.shape == (1, 2, 8, 8, 1)
    np.testing.assert_allclose(
        grid[0, 0], trained.reconstruct(x[None])[0], atol=1e-5
    )
    moved = trained.decode(np.array([[z[0], 2.0]], "float32"))[0]
    np.testing.assert_allclose(grid[0, 1], moved, atol=1e-5)
    assert trained.traverse(x).shape == (2, 7, 8, 8, 1)


def test_distributions_are_tfp_objects(trained, binary_digits):
    x = binary_digits[:4]
    posterior = trained.posterior(x)
    assert posterior.event_shape == (2,) and posterior.batch_shape == (4,)
    output = trained.output_distribution(posterior.mean())
    assert output.event_shape == (8, 8, 1)
    np.testing.assert_allclose(output.mean(), trained.reconstruct(x))
    assert trained.prior_distribution().event_shape == (2,)


def test_iwae_trains_a_tighter_bound(binary_digits):
    model = vae(objective="iwae", num_samples=5, seed=0)
    model.compile(keras.optimizers.Adam(5e-3))
    logs = model.fit(binary_digits, batch_size=64, epochs=2, verbose=0).history
    assert logs["loss"] == logs["neg_iw_bound"]
    assert logs["neg_iw_bound"][-1] < logs["neg_elbo"][-1]


def test_save_and_load_keep_everything(trained, binary_digits, tmp_path):
    trained.save(tmp_path / "vae.keras")
    again = keras.models.load_model(tmp_path / "vae.keras")
    x = binary_digits[:10]
    np.testing.assert_array_equal(again.reconstruct(x), trained.reconstruct(x))
    np.testing.assert_array_equal(
        again.log_likelihood(x, 10), trained.log_likelihood(x, 10)
    )
    assert again.seed == trained.seed
    assert int(again.step) == int(trained.step) > 0
    # Both go on in the same way: optimizer, noise and schedules are there.
    losses = []
    for model in (trained, again):
        losses.append(model.train_on_batch(x, return_dict=True)["loss"])
    assert losses[0] == losses[1]
