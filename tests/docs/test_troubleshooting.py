"""Each message of the table of errors is raised by a mistake, and listed."""

import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae import likelihoods
from keras_vae import networks
from keras_vae import priors
from tests.docs import pages

SECTION = (pages.DOCS / "faq.md").read_text().split("\n## Error messages\n")[1]
MESSAGES = [
    text.strip()
    for _, text in re.findall(r"^\| (`+)(.*?)\1 \|", SECTION, re.MULTILINE)
]
MISTAKES = {}
IMAGE = (8, 8, 1)


def mistake(function):
    MISTAKES[function.__name__] = function
    return function


@functools.cache
def grey():
    return keras_vae.datasets.load_arrays("digits").as_float32().x_train[:64]


def encoder(units=8):
    return networks.mlp_encoder(IMAGE, (units,), seed=1)


def decoder(latent_dim=4, shape=IMAGE):
    return networks.mlp_decoder(latent_dim, shape, (), seed=2)


def vae(**kwargs):
    model = keras_vae.VAE(encoder(), decoder(), 4, seed=3, **kwargs)
    model.compile(keras.optimizers.SGD(1e-3))
    return model


def vae_without_input():
    layers = [keras.layers.Flatten(), keras.layers.Dense(4)]
    return keras_vae.VAE(keras.Sequential(layers), decoder(), 4)


def vq_vae(embedding_dim=8):
    return keras_vae.VQVAE(
        networks.residual_encoder(IMAGE, 8),
        networks.residual_decoder((2, 2, 8), IMAGE),
        16,
        embedding_dim,
    )


def fit(model, *data, **kwargs):
    if not model.compiled:
        model.compile(keras.optimizers.SGD(1e-3))
    model.fit(*data, verbose=0, **kwargs)


@mistake
def labels_as_targets(folder):
    fit(vae(), grey(), np.zeros(64))


@mistake
def no_channel(folder):
    fit(vae(), grey()[..., 0])


@mistake
def integers(folder):
    fit(vae(), (255 * grey()).astype("uint8"))


@mistake
def pixels_to_255(folder):
    fit(vae(), 255 * grey())


@mistake
def around_zero(folder):
    fit(vae(), 2 * grey() - 1)


@mistake
def missing_values(folder):
    fit(vae(), np.where(grey() > 0.9, np.nan, grey()))


@mistake
def no_examples(folder):
    fit(vae(), grey()[:0])


@mistake
def list_of_an_array(folder):
    fit(vae(), [grey()])


@mistake
def all_splits(folder):
    fit(vae(), keras_vae.datasets.load("digits"))


@mistake
def name_of_the_data(folder):
    fit(vae(), "digits")


@mistake
def misspelt_data(folder):
    keras_vae.datasets.load("mnits")


@mistake
def no_full_batch(folder):
    keras_vae.datasets.load("digits", batch_size=2000, drop_remainder=True)


@mistake
def codes_of_another_codebook(folder):
    fit(keras_vae.PixelSNAIL((2, 2), 4), np.full((8, 2, 2), 4))


@mistake
def another_latent_dim(folder):
    keras_vae.VAE(encoder(), decoder(5), 4)


@mistake
def another_image_size(folder):
    keras_vae.VAE(encoder(), decoder(shape=(8, 9, 1)), 4)


@mistake
def sigmoid(folder):
    last = keras.layers.Activation("sigmoid")
    keras_vae.VAE(encoder(), keras.Sequential([decoder(), last]), 4)


@mistake
def a_level_without_networks(folder):
    two_levels = networks.mlp_hierarchy(IMAGE, (4, 2), (8, 8))
    keras_vae.HierarchicalVAE(*two_levels, latent_dims=[4, 2, 1])


@mistake
def another_embedding_dim(folder):
    fit(vq_vae(embedding_dim=4), grey())


@mistake
def prior_of_another_codebook(folder):
    model = vq_vae()
    model.build((None, *IMAGE))
    keras_vae.VQGenerator(model, keras_vae.PixelSNAIL((2, 2), 8))


@mistake
def tied_too_early(folder):
    dense = keras.layers.Dense(3)
    keras_vae.layers.TiedDense(dense).build((None, 3))


@mistake
def closed_form_of_two_layers(folder):
    deep = networks.mlp_encoder(IMAGE, (8, 4))
    fit(
        keras_vae.ContractiveAutoencoder(deep, decoder(), method="closed_form"),
        grey(),
    )


@mistake
def misspelt_likelihood(folder):
    vae(likelihood="gaussian")


@mistake
def weighted_importance(folder):
    vae(objective="iwae", beta=0.5)


@mistake
def function_as_weight(folder):
    vae(beta=lambda step: 1.0)


@mistake
def k_beyond_the_width(folder):
    fit(keras_vae.KSparseAutoencoder(encoder(), decoder(8), k=9), grey())


@mistake
def no_discriminator(folder):
    keras_vae.BetaVAE(
        encoder(), decoder(), 4, total_correlation="discriminator"
    )


@mistake
def nothing_corrupted(folder):
    model = keras_vae.DenoisingAutoencoder(
        encoder(), decoder(8), corruption=None
    )
    fit(model, grey())


@mistake
def a_second_loss(folder):
    model = vae()
    model.compile("adam", "mse")
    fit(model, grey())


@mistake
def too_large_a_step(folder):
    model = keras_vae.Autoencoder(encoder(), decoder(8))
    model.compile(keras.optimizers.SGD(1e12))
    fit(model, grey())


@mistake
def activations_above_one(folder):
    fit(keras_vae.SparseAutoencoder(encoder(), decoder(8)), 10 * grey())


@mistake
def all_units_collapse(folder):
    fit_with_alarm(inactive=1.0)


@mistake
def some_units_collapse(folder):
    fit_with_alarm(inactive=0.5)


def fit_with_alarm(inactive):
    """Warnings are errors in these tests; a threshold collapses units."""
    model = vae()
    # Nothing moves, so that the statistic is the one after the training.
    model.compile(keras.optimizers.SGD(0.0))
    statistic = keras_vae.metrics.active_units(model, grey()).statistic
    alarm = keras_vae.callbacks.PosteriorCollapseAlarm(
        grey(), patience=1, threshold=float(np.quantile(statistic, inactive))
    )
    fit(model, grey(), callbacks=[alarm])


@mistake
def accumulation_under_a_strategy(folder):
    optimizer = {"gradient_accumulation_steps": 2}
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        model = keras_vae.VAE(encoder(), decoder(), 4)
        model.compile(keras.optimizers.SGD(1e-3, **optimizer))
    fit(model, grey())


class UndeclaredTerm(keras_vae.VAE):
    def compute_terms(self, x, y, training):
        terms = super().compute_terms(x, y, training)
        return {**terms, "code_loss": terms["kl_loss"]}


class TermOfEachUnit(keras_vae.VAE):
    def compute_terms(self, x, y, training):
        terms = super().compute_terms(x, y, training)
        return {**terms, "kl_loss": terms["kl_loss"][:, tf.newaxis]}


@mistake
def undeclared_term(folder):
    fit(UndeclaredTerm(encoder(), decoder(), 4), grey())


@mistake
def term_not_summed(folder):
    fit(TermOfEachUnit(encoder(), decoder(), 4), grey())


@mistake
def likelihood_of_grey_levels(folder):
    vae().log_likelihood(grey())


@mistake
def likelihood_of_squares(folder):
    vae(likelihood="squared_error").log_likelihood(grey())


@mistake
def bits_of_a_density(folder):
    model = vae(likelihood=likelihoods.Normal())
    keras_vae.metrics.bits_per_dim(1.0, model=model)


@mistake
def units_under_a_mixture(folder):
    model = vae(prior=priors.MixturePrior(3))
    keras_vae.metrics.active_units(model, grey(), "kl")


@mistake
def samples_without_a_prior(folder):
    vq_vae().sample(4)


@mistake
def shape_before_data(folder):
    return vae_without_input().event_shape


@mistake
def save_before_data(folder):
    vae_without_input().save(folder / "model.keras")


@mistake
def export_before_data(folder):
    keras_vae.export_model(vae_without_input(), folder)


class Unregistered(keras.layers.Flatten):
    """A layer that Keras cannot find by its name."""


def save_and_load(layer, folder):
    layers = [keras.Input(IMAGE), layer, keras.layers.Flatten()]
    model = keras_vae.VAE(keras.Sequential(layers), decoder(), 4)
    model.build((None, *IMAGE))
    model.save(folder / "model.keras")
    keras.saving.load_model(folder / "model.keras")


@mistake
def layer_not_registered(folder):
    save_and_load(Unregistered(), folder)


@mistake
def python_in_a_file(folder):
    save_and_load(keras.layers.Lambda(lambda x: 2.0 * x), folder)


@pytest.fixture(scope="module")
def raised(tmp_path_factory):
    """What each mistake raises; each is made once."""

    @functools.cache
    def message(name):
        with pytest.raises(Exception) as error:
            MISTAKES[name](tmp_path_factory.mktemp(name))
        return " ".join(str(error.value).split())

    return message


def is_quoted(message, raised):
    parts = [re.escape(part) for part in message.split("...")]
    return re.search(".+?".join(parts), raised) is not None


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_in_the_table(name, raised):
    assert any(is_quoted(text, raised(name)) for text in MESSAGES)


@pytest.mark.parametrize("text", MESSAGES)
def test_message_is_one_that_is_raised(text, raised):
    assert any(is_quoted(text, raised(name)) for name in MISTAKES)


def test_table_was_read():
    rows = re.findall(r"^\| [^m-]", SECTION, re.MULTILINE)
    assert len(MESSAGES) == len(set(MESSAGES)) == len(rows) > 30
