"""Bad input is named before training starts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae


def networks(latent_dim=3, output_shape=(4, 4, 1)):
    encoder = keras_vae.networks.mlp_encoder((4, 4, 1), units=(8,))
    decoder = keras_vae.networks.mlp_decoder(
        latent_dim, output_shape, units=(8,)
    )
    return encoder, decoder


def vae(**kwargs):
    model = keras_vae.VAE(*networks(), latent_dim=3, **kwargs)
    model.compile("sgd")
    return model


def images(low=0.0, high=1.0, shape=(6, 4, 4, 1)):
    generator = np.random.default_rng(0)
    return generator.uniform(low, high, size=shape).astype("float32")


def with_nan():
    x = images()
    x[2, 1, 1, 0] = np.nan
    return x


BAD_DATA = {
    "range": (images(high=255.0), "divide 8-bit images by 255"),
    "negative": (images(low=-1.0), r"in \[0.0, 1.0\]"),
    "rank": (images(shape=(6, 16)), "must have shape"),
    "size": (images(shape=(6, 5, 4, 1)), "must have shape"),
    "integers": (np.zeros((6, 4, 4, 1), "uint8"), "floats"),
    "nan": (with_nan(), "1 of 96 values NaN"),
    "empty": (np.zeros((0, 4, 4, 1), "float32"), "at least one example"),
}


class OneBatch(keras.utils.PyDataset):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return (self.x,)


@pytest.mark.parametrize("name", BAD_DATA)
@pytest.mark.parametrize("source", ["array", "dataset", "py_dataset"])
def test_data_that_cannot_be_modelled(name, source):
    x, message = BAD_DATA[name]
    model = vae()
    data = x
    if source == "py_dataset":
        data = OneBatch(x)
    if source == "dataset":
        data = tf.data.Dataset.from_tensor_slices(x).batch(6)
    with pytest.raises(ValueError, match=message):
        model.fit(data, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.evaluate(data, verbose=0)
    assert int(model.step) == 0


def test_validation_data_are_checked_too():
    with pytest.raises(ValueError, match="`validation_data`: .*divide 8-bit"):
        vae().fit(images(), validation_data=(images(high=255.0),), verbose=0)


def whole_digits():
    return keras_vae.datasets.load("digits")


NO_ARRAY = {
    "list": (lambda: [images()], "one array.*Received: x=list of 1 arrays"),
    "images": (lambda: [*images()], "Received: x=list of 6 arrays"),
    "pair": (lambda: (images(), images()), "Received: x=tuple of 2 arrays"),
    "dict": (lambda: {"x": images()}, "Received: x=dict of 1 arrays"),
    "lists": (lambda: images().tolist(), "must be an array.* of type list"),
    "name": (lambda: "digits", "Received: x of type str"),
    "none": (lambda: None, "Received: x of type NoneType"),
    "splits": (whole_digits, "`train`.*Received: x=the Splits"),
}


@pytest.mark.parametrize("name", NO_ARRAY)
def test_what_is_no_array_is_said_so(name):
    make, message = NO_ARRAY[name]
    with pytest.raises(ValueError, match=message):
        vae().fit(make(), verbose=0)
    with pytest.raises(ValueError, match=message):
        vae().evaluate(make(), verbose=0)


def other_models():
    unet = keras_vae.networks.unet((4, 4, 1), filters=8, num_groups=4)
    yield keras_vae.DiffusionModel(unet, num_steps=4)
    yield keras_vae.GaussianMixture(16, 2)


def test_other_models_of_one_array():
    for model in other_models():
        with pytest.raises(ValueError, match="Received: x=list of 1 arrays"):
            model.check_data([images()])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "`batch_size`.*Received: batch_size=0"),
        ({"batch_size": -5}, "`batch_size`.*Received: batch_size=-5"),
        ({"epochs": -1}, "`epochs`.*at least 0. Received: epochs=-1"),
        ({"epochs": "2"}, "`epochs`.*Received: epochs='2'"),
    ],
)
def test_numbers_of_fit(change, message):
    with pytest.raises(ValueError, match=message):
        vae().fit(images(), verbose=0, **change)


def test_a_model_that_is_not_built_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="VAE must be built before it is save"):
        vae().save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


def test_a_vq_vae_says_what_samples():
    encoder = keras_vae.networks.residual_encoder((4, 4, 1), 2, filters=4)
    decoder = keras_vae.networks.residual_decoder(
        encoder.output_shape[1:], (4, 4, 1), filters=4
    )
    model = keras_vae.VQVAE(encoder, decoder, 4, 2)
    assert not hasattr(model, "sample")
    with pytest.raises(AttributeError, match=r"VQGenerator\(vq_vae, prior\)"):
        model.sample(3)


def test_labels_are_not_targets():
    x = images()
    labels = np.arange(6)
    with pytest.raises(ValueError, match="labels are not targets"):
        vae().fit(x, labels, verbose=0)
    data = tf.data.Dataset.from_tensor_slices((x, labels)).batch(3)
    with pytest.raises(ValueError, match="labels are not targets"):
        vae().fit(data, verbose=0)
    with pytest.raises(ValueError, match="labels are not targets"):
        vae().train_on_batch(x, labels)


def test_a_target_of_the_shape_of_x_is_what_is_reconstructed():
    x, y = images(), np.round(images())
    model = vae(seed=0)
    with_target = model.evaluate(x, y, verbose=0, return_dict=True)
    without = model.evaluate(x, verbose=0, return_dict=True)
    assert with_target["kl_loss"] == without["kl_loss"]
    assert with_target["reconstruction_loss"] != without["reconstruction_loss"]


def test_networks_that_do_not_fit():
    encoder, decoder = networks()
    with pytest.raises(ValueError, match="latent shape.*5.*input shape.*3"):
        keras_vae.VAE(encoder, decoder, latent_dim=5)
    with pytest.raises(ValueError, match="output shape.*4, 4, 1.*4, 4, 3"):
        keras_vae.VAE(*networks(output_shape=(4, 4, 3)), latent_dim=3)
    with pytest.raises(ValueError, match="output shape.*4, 4, 2"):
        normal = keras_vae.likelihoods.Normal(scale="predicted")
        keras_vae.VAE(encoder, decoder, latent_dim=3, likelihood=normal)
    with pytest.raises(ValueError, match="latent shape"):
        keras_vae.Autoencoder(encoder, decoder)
    with pytest.raises(ValueError, match="`decoder` must be a Keras"):
        keras_vae.VAE(encoder, "mlp", latent_dim=3)
    two = keras.Model(encoder.inputs, encoder.outputs * 2)
    with pytest.raises(ValueError, match="`encoder` must have one output"):
        keras_vae.VAE(two, decoder, latent_dim=3)


def test_a_sigmoid_under_bernoulli_is_an_error():
    encoder, _ = networks()
    layers = [
        keras.Input((3,)),
        keras.layers.Dense(16, activation="sigmoid"),
        keras.layers.Reshape((4, 4, 1)),
    ]
    decoder = keras.Sequential(layers)
    with pytest.raises(ValueError, match="logits.*'sigmoid'"):
        keras_vae.VAE(encoder, decoder, latent_dim=3)
    nested = keras.Sequential([keras.Input((3,)), decoder])
    with pytest.raises(ValueError, match="logits.*'sigmoid'"):
        keras_vae.VAE(encoder, nested, latent_dim=3)
    keras_vae.VAE(encoder, decoder, latent_dim=3, likelihood="squared_error")


def test_an_unbuilt_sequential_is_checked_when_it_is_built():
    encoder = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(8, activation="relu")]
    )
    decoder = keras.Sequential([keras.layers.Dense(15)])
    model = keras_vae.VAE(encoder, decoder, latent_dim=3)
    model.compile("sgd")
    with pytest.raises(ValueError, match="output shape"):
        model.fit(images(), verbose=0)
    decoder = keras.Sequential(
        [keras.layers.Dense(16), keras.layers.Reshape((4, 4, 1))]
    )
    model = keras_vae.VAE(encoder, decoder, latent_dim=3)
    model.compile("sgd")
    history = model.fit(images(), verbose=0)
    assert np.isfinite(history.history["loss"][0])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"likelihood": "bernouli"}, "likelihood='bernouli'"),
        ({"prior": "normal"}, "prior='normal'"),
        ({"posterior": "gaussian"}, "posterior='gaussian'"),
        ({"objective": "iwea"}, "objective='iwea'"),
        ({"objective": "iwae", "beta": 2.0}, "beta=2.0"),
        ({"num_samples": 0}, "num_samples=0"),
        ({"beta": -1.0}, "beta=-1.0"),
        (
            {"posterior": keras_vae.posteriors.DiagonalNormal(4)},
            "posterior.latent_dim=4",
        ),
    ],
)
def test_arguments_out_of_range(kwargs, message):
    with pytest.raises(ValueError, match=message):
        vae(**kwargs)


def test_log_likelihood_only_where_it_exists():
    binary = np.round(images())
    with pytest.raises(ValueError, match="binary data only"):
        vae().log_likelihood(images())
    with pytest.raises(ValueError, match="no normalised likelihood"):
        vae(likelihood="squared_error").log_likelihood(binary)
    with pytest.raises(ValueError, match="num_samples=0"):
        vae().log_likelihood(binary, num_samples=0)
    assert np.all(np.isfinite(vae().log_likelihood(binary, num_samples=3)))


def test_double_precision_data_are_cast():
    x = np.round(images()).astype("float64")
    model = vae(seed=0)
    data = tf.data.Dataset.from_tensor_slices(x).batch(3)
    history = model.fit(data, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    assert model.elbo(x).dtype == "float32"
    assert np.all(np.isfinite(model.log_likelihood(x, num_samples=2)))


def test_a_wrong_shape_leaves_no_trace():
    model = vae()
    with pytest.raises(ValueError, match=r"shape \(batch, \*\(4, 4, 1\)\)"):
        model.encode(images()[0])
    assert not model.built
    model.compile("sgd")
    model.fit(images(), verbose=0)
    assert model.encode(images()).shape == (6, 3)


def test_samples_before_any_data():
    """The networks know the shape, or the error says that nobody does."""
    assert vae().sample(2).shape == (2, 4, 4, 1)
    assert vae().prior_distribution().event_shape == (3,)
    encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(5)])
    model = keras_vae.VAE(encoder, networks()[1], 3)
    with pytest.raises(ValueError, match="VAE is not built: call it on a"):
        model.sample(2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "`batch_size`.*Received: batch_size=0"),
        ({"num_samples": 0}, "`num_samples`.*Received: num_samples=0"),
        ({"x": images()[:0]}, "`x` must hold at least one example"),
    ],
)
@pytest.mark.parametrize("method", ["elbo", "log_likelihood"])
def test_numbers_of_a_bound(method, change, message):
    with pytest.raises(ValueError, match=message):
        model = vae(likelihood=keras_vae.likelihoods.Normal(1.0))
        getattr(model, method)(**{"x": images()} | change)


def test_numbers_of_numpy_are_numbers():
    model = vae(
        beta=np.float32(0.5),
        likelihood=keras_vae.likelihoods.Normal(scale=np.float32(0.5)),
    )
    model.fit(images(), verbose=0)
    again = keras_vae.VAE.from_config(model.get_config())
    assert again.likelihood.scale == 0.5
    seed = np.int64(3)
    for method in (model.elbo, model.log_likelihood):
        one = method(images(), num_samples=np.int64(2), seed=seed)
        np.testing.assert_array_equal(one, method(images(), 2, seed=3))
    np.testing.assert_array_equal(
        model.sample(2, seed=seed), model.sample(2, 3)
    )


def test_seeds_of_all_kinds_for_one_compiled_function():
    model = vae(likelihood=keras_vae.likelihoods.Normal(1.0))
    model.elbo(images(), seed=0)
    one = model.elbo(images(), seed=np.array([1, 2]))
    np.testing.assert_array_equal(one, model.elbo(images(), seed=(1, 2)))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((6, 4, 4, 1), "uint8"), "divide 8-bit.*dtype uint8"),
        (images(shape=(6, 3, 4, 1)), r"`x` must have shape \(batch, \*\(4, 4"),
        (images(shape=(4, 4, 1)), r"Received: x of shape \(4, 4, 1\)"),
    ],
)
@pytest.mark.parametrize("method", ["encode", "reconstruct", "__call__"])
def test_what_a_code_is_asked_of(method, x, message):
    model = vae()
    model.build((None, 4, 4, 1))
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num": -1}, "`num` must be a positive integer. Received: num=-1"),
        ({"num": 2.5}, "Received: num=2.5"),
        ({"num": "3"}, "Received: num='3'"),
        ({"num": 2, "temperature": -1.0}, "`temperature`.*Received"),
    ],
)
def test_what_is_sampled(arguments, message):
    with pytest.raises(ValueError, match=message):
        vae().sample(**arguments)
    if "temperature" not in arguments:
        with pytest.raises(ValueError, match=message):
            keras_vae.GaussianMixture(4, 2).sample(**arguments)


def test_walks_between_codes():
    model, x = vae(), images()
    with pytest.raises(ValueError, match="`num`.*at least 2. Received: num=1"):
        model.interpolate(x, x, num=1)
    with pytest.raises(ValueError, match="`x` must be one example"):
        model.traverse(x)
    with pytest.raises(ValueError, match="`units` must be from 0 to 2"):
        model.traverse(x[0], units=[3])
    assert model.traverse(x[0], units=2).shape == (1, 7, 4, 4, 1)


def test_a_data_set_has_no_order():
    data = tf.data.Dataset.from_tensor_slices(images()).batch(3)
    with pytest.raises(ValueError, match="`x` must be an array"):
        vae().log_likelihood(data)


@pytest.mark.parametrize("seed", ["a", 1.5, -1])
def test_seeds(seed):
    with pytest.raises(ValueError, match="`seed`.*Received: seed="):
        vae(seed=seed)


def test_steps_of_a_schedule():
    with pytest.raises(ValueError, match="`steps`.*Received: steps='4'"):
        keras_vae.schedules.LinearWarmUp("4")
