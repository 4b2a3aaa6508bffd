"""One row for every public class: the tiniest instance that works.

A new public class gets a row here, with arguments that are not the defaults;
every property is then tested for it (`test_coverage.py` fails until then).
"""

import dataclasses
import math
from collections.abc import Callable

import keras
import numpy as np

from keras_vae import layers
from keras_vae import likelihoods
from keras_vae import models
from keras_vae import networks
from keras_vae import posteriors
from keras_vae import priors
from keras_vae import schedules
from keras_vae.layers.codebook import Codebook

IMAGE = (3, 2, 1)
COLOUR = (3, 2, 3)
LATENT_DIM = 2

#: Where public classes live; `__all__` of each is the API.
PACKAGES = (models, layers, likelihoods, posteriors, priors, schedules)

#: Parts of other layers, which hold and save them.
PARTS = {Codebook}

#: Bases without instances of their own.
ABSTRACT = {
    models.TermModel,
    layers.Corruption,
    likelihoods.Likelihood,
    posteriors.Posterior,
    priors.Prior,
    schedules.NoiseSchedule,
}


def encoder(event_shape=IMAGE, units=5):
    return keras.Sequential(
        [
            keras.Input(event_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation="tanh"),
        ]
    )


def sigmoid_encoder():
    """With names, and activations in [0, 1]."""
    return keras.Sequential(
        [
            keras.Input(IMAGE),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="sigmoid", name="hidden"),
            keras.layers.Dense(LATENT_DIM, activation="sigmoid", name="code"),
        ]
    )


def decoder(params_shape=IMAGE):
    return keras.Sequential(
        [
            keras.Input((LATENT_DIM,)),
            keras.layers.Dense(math.prod(params_shape)),
            keras.layers.Reshape(params_shape),
        ]
    )


def codes_networks():
    """A vector of LATENT_DIM for each pixel, and back."""
    encoder = keras.Sequential(
        [keras.Input(IMAGE), keras.layers.Dense(LATENT_DIM)]
    )
    decoder = keras.Sequential(
        [keras.Input((*IMAGE[:-1], LATENT_DIM)), keras.layers.Dense(1)]
    )
    return encoder, decoder


def levels_networks():
    """Codes of each pixel, and of each row of pixels."""
    rows = keras.layers.Conv2D(4, (1, IMAGE[1]))
    encoders = [
        codes_networks()[0],
        keras.Sequential([keras.Input((*IMAGE[:-1], LATENT_DIM)), rows]),
    ]
    top = (IMAGE[0], 1, LATENT_DIM)
    upsampler = keras.Sequential(
        [keras.Input(top), keras.layers.UpSampling2D((1, IMAGE[1]))]
    )
    inputs = [keras.Input((*IMAGE[:-1], LATENT_DIM)), keras.Input(top)]
    upsampled = keras.layers.UpSampling2D((1, IMAGE[1]))(inputs[1])
    joined = keras.layers.Concatenate()([inputs[0], upsampled])
    decoder = keras.Model(inputs, keras.layers.Dense(1)(joined))
    return encoders, [upsampler], decoder


def time_network():
    """From x_t and the time; both count."""
    x_t, time = keras.Input(IMAGE), keras.Input(())
    hidden = keras.layers.Dense(3)(keras.layers.Reshape((1, 1, 1))(time))
    hidden = keras.layers.Dense(3, activation="tanh")(x_t) + hidden
    return keras.Model([x_t, time], keras.layers.Dense(IMAGE[-1])(hidden))


def hierarchy(cls, ladder=False, batch_norm=True, **kwargs):
    """Two levels, normalised in hidden layers and heads."""
    networks_of_levels = networks.mlp_hierarchy(
        IMAGE, (3, 2), (5, 4), ladder=ladder, batch_norm=batch_norm, seed=3
    )
    return cls(
        *networks_of_levels, [3, 2], batch_norm=batch_norm, seed=3, **kwargs
    )


def td_vae():
    """Two levels, two pairs in each sequence."""
    return models.TDVAE(
        keras.layers.LSTM(3),
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]),
        [2, 1],
        keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(4, activation="tanh")]
        ),
        hidden_units=5,
        jump_range=(1, 2),
        jump_frequencies=2,
        num_pairs=2,
        seed=3,
    )


def generator():
    encoder, decoder = codes_networks()
    vq_vae = models.VQVAE(encoder, decoder, 4, LATENT_DIM, "bernoulli", seed=3)
    vq_vae.build((None, *IMAGE))
    prior = models.PixelSNAIL(
        IMAGE[:-1],
        4,
        num_heads=1,
        filters=4,
        num_blocks=1,
        num_residual=1,
        value_dim=3,
        seed=3,
    )
    return models.VQGenerator(vq_vae, prior, seed=3)


def vae(likelihood="bernoulli", event_shape=IMAGE, **kwargs):
    likelihood = likelihoods.get(likelihood)
    params_shape = likelihood.params_shape(event_shape)
    return models.VAE(
        encoder(event_shape),
        decoder(params_shape),
        LATENT_DIM,
        likelihood=likelihood,
        **{"seed": 3, **kwargs},
    )


def beta_vae(**kwargs):
    return models.BetaVAE(encoder(), decoder(), LATENT_DIM, seed=3, **kwargs)


def discriminated():
    discriminator = keras.Sequential(
        [
            keras.Input((LATENT_DIM,)),
            keras.layers.Dense(4, activation="leaky_relu"),
            keras.layers.Dense(1),
        ]
    )
    return beta_vae(
        total_correlation="discriminator",
        discriminator=discriminator,
        discriminator_optimizer=keras.optimizers.SGD(0.01, momentum=0.5),
    )


def tied_dense():
    dense = keras.layers.Dense(3, activation="tanh")
    dense.build((None, 4))
    return layers.TiedDense(
        dense, activation="sigmoid", bias_initializer="ones"
    )


def in_functional(layer, shapes, activation=None):
    """A functional model of the layer behind something to train."""
    inputs = [keras.Input(shape) for shape in shapes]
    hidden = [keras.layers.Dense(x.shape[-1], activation)(x) for x in inputs]
    if len(shapes) == 1:
        return keras.Model(inputs[0], layer(hidden[0]))
    return keras.Model(inputs, layer(hidden))


def first_output(layer, shapes, activation=None):
    """As `in_functional`, for a layer with several outputs."""
    model = in_functional(layer, shapes, activation)
    inputs = model.inputs[0] if len(shapes) == 1 else model.inputs
    return keras.Model(inputs, model.outputs[0])


def several_inputs(layer, shapes):
    """As `in_functional`, for a layer that takes them one by one."""
    inputs = [keras.Input(shape) for shape in shapes]
    hidden = [keras.layers.Dense(x.shape[-1])(x) for x in inputs]
    return keras.Model(inputs, layer(*hidden))


@dataclasses.dataclass(frozen=True)
class Row:
    """How to make an instance and what to feed it.

    Args:
        make: callable, gives a new instance.
        shapes: shapes of its inputs, without the batch; a dict where it takes
            a dict.
        in_model: callable from the instance and `shapes` to a Keras model
            that contains it; None if it is a model itself.
        dtype: str, of its inputs.
    """

    make: Callable
    shapes: tuple | dict = (IMAGE,)
    in_model: Callable | None = None
    dtype: str = "float32"

    def model(self, policy="float32"):
        """A new built model, the same at each call, under a dtype policy."""
        keras.utils.set_random_seed(1)
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            made = self.make()
            if self.in_model is not None:
                made = self.in_model(made, self.shapes)
            if not made.built:
                made.build((None, *self.shapes[0]))
        finally:
            keras.config.set_dtype_policy(before)
        return made

    def inputs(self, num):
        """Zeros and ones: every likelihood takes them."""
        rng = np.random.default_rng(0)

        def draw(shape):
            return rng.integers(0, 2, (num, *shape)).astype(self.dtype)

        if isinstance(self.shapes, dict):
            return {name: draw(shape) for name, shape in self.shapes.items()}
        arrays = [draw(shape) for shape in self.shapes]
        return arrays if len(arrays) > 1 else arrays[0]

    def compile(self, model, **kwargs):
        """With momentum: Adam turns float noise into steps."""
        if not isinstance(model, models.TermModel):
            kwargs["loss"] = "mse"
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        model.compile(optimizer, **kwargs)

    def fit(self, model, num, batch_size):
        """The history of one epoch, in order."""
        x = self.inputs(num)
        y = None
        if not isinstance(model, models.TermModel):
            y = np.zeros((num, *model.output_shape[1:]), "float32")
        return model.fit(
            x, y, batch_size=batch_size, shuffle=False, verbose=0
        ).history


MODELS = {
    "Autoencoder": Row(
        lambda: models.Autoencoder(
            encoder(units=LATENT_DIM), decoder(), "bernoulli", seed=3
        )
    ),
    "DenoisingAutoencoder": Row(
        lambda: models.DenoisingAutoencoder(
            encoder(units=LATENT_DIM),
            decoder(),
            "bernoulli",
            corruption=layers.SaltAndPepperNoise(0.5, seed=7),
            corrupted_weight=2.0,
            clean_weight=0.5,
            seed=3,
        )
    ),
    "BetaVAE": Row(lambda: beta_vae(beta=schedules.Cyclical(4, rising=0.7))),
    "BetaVAE capacity": Row(
        lambda: beta_vae(capacity=schedules.LinearWarmUp(9, 0.1, 2.0), gamma=3)
    ),
    "BetaVAE weighted": Row(
        lambda: beta_vae(total_correlation="weighted", num_examples=50)
    ),
    "BetaVAE stratified": Row(
        lambda: beta_vae(total_correlation="stratified", num_examples=50)
    ),
    "BetaVAE discriminator": Row(discriminated),
    "ContractiveAutoencoder": Row(
        lambda: models.ContractiveAutoencoder(
            encoder(units=LATENT_DIM),
            decoder(),
            "bernoulli",
            weight=schedules.LinearWarmUp(5, start=0.1, end=0.5),
            method="closed_form",
            seed=3,
        )
    ),
    "ContractiveAutoencoder hutchinson": Row(
        lambda: models.ContractiveAutoencoder(
            keras.Sequential([encoder(), keras.layers.Dense(LATENT_DIM)]),
            decoder(),
            weight=0.3,
            method="hutchinson",
            num_probes=2,
            second_order_weight=0.2,
            second_order_stddev=0.3,
            second_order_samples=2,
            seed=3,
        )
    ),
    "GaussianMixture": Row(
        lambda: models.GaussianMixture(
            2,
            3,
            covariance_type="tied",
            means=[[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]],
            covariances=np.eye(3) / 2,
            weights=[0.25, 0.75],
            variance_floor=1e-3,
            seed=3,
        ),
        shapes=((3,),),
    ),
    "KSparseAutoencoder": Row(
        lambda: models.KSparseAutoencoder(
            encoder(units=LATENT_DIM),
            decoder(),
            "bernoulli",
            k=schedules.LinearWarmUp(2, start=2.0, end=1.0),
            inference_alpha=1.5,
            seed=3,
        )
    ),
    "PixelSNAIL": Row(
        lambda: models.PixelSNAIL(
            (3, 2),
            4,
            num_heads=2,
            filters=5,
            num_blocks=1,
            num_residual=1,
            kernel_size=(2, 3),
            anchor="center",
            key_dim=3,
            value_dim=4,
            num_output_residual=1,
            dropout=0.25,
            seed=3,
        ),
        ((3, 2),),
        dtype="int32",
    ),
    "PixelSNAIL conditional": Row(
        lambda: models.PixelSNAIL(
            (4, 2),
            3,
            num_classes=2,
            conditional=True,
            filters=4,
            num_blocks=1,
            num_residual=1,
            attention=False,
            condition_shape=(2, 1),
            condition_embeddings=2,
            num_condition_blocks=1,
            seed=3,
        ),
        {"indices": (4, 2), "label": (), "condition": (2, 1)},
        dtype="int32",
    ),
    "PixelSNAIL images": Row(
        lambda: models.PixelSNAIL(
            IMAGE,
            num_heads=1,
            filters=4,
            num_blocks=1,
            num_residual=1,
            value_dim=3,
            likelihood=likelihoods.DiscretizedLogisticMixture(2, 16),
            seed=3,
        )
    ),
    "SparseAutoencoder": Row(
        lambda: models.SparseAutoencoder(
            sigmoid_encoder(),
            decoder(),
            "bernoulli",
            rho=0.2,
            beta=schedules.LinearWarmUp(4, start=1.0, end=2.0),
            layers=["hidden", "code"],
            momentum=0.5,
            seed=3,
        )
    ),
    "DiffusionModel": Row(
        lambda: models.DiffusionModel(
            time_network(),
            schedules.CosineNoise(0.1),
            num_steps=5,
            prediction="v",
            variance="posterior",
            num_levels=2,
            seed=3,
        )
    ),
    "DiffusionModel bound": Row(
        lambda: models.DiffusionModel(
            time_network(),
            [0.1, 0.3, 0.5],
            num_steps=3,
            event_shape=IMAGE,
            objective="bound",
            likelihood="normal",
            low_discrepancy=False,
            seed=3,
        )
    ),
    "HierarchicalVAE": Row(
        lambda: hierarchy(
            models.HierarchicalVAE,
            beta=schedules.LinearWarmUp(4),
            num_samples=2,
        )
    ),
    "HierarchicalVAE free bits": Row(
        lambda: hierarchy(
            models.HierarchicalVAE, batch_norm=False, free_bits=0.05
        )
    ),
    "LadderVAE": Row(
        lambda: hierarchy(
            models.LadderVAE,
            ladder=True,
            num_samples=2,
            num_importance_samples=2,
        )
    ),
    "LadderVAE separate": Row(
        lambda: hierarchy(
            models.LadderVAE,
            ladder=True,
            inference_networks=networks.mlp_hierarchy(
                IMAGE, (3, 2), (5, 4), seed=4
            )[1],
            beta=schedules.LinearWarmUp(4),
        )
    ),
    "TDVAE": Row(td_vae, shapes=((4, 2),)),
    "VAE": Row(
        lambda: vae(
            posterior="full_covariance_normal",
            beta=schedules.LinearWarmUp(5, start=0.5),
            num_samples=2,
        )
    ),
    "VQVAE": Row(
        lambda: models.VQVAE(
            *codes_networks(),
            4,
            LATENT_DIM,
            commitment_weight=0.5,
            ema_decay=None,
            quantizer_options={"init_batches": 1, "dead_threshold": 0.1},
            seed=3,
        )
    ),
    "VQVAE moving averages": Row(
        lambda: models.VQVAE(
            *codes_networks(),
            4,
            LATENT_DIM,
            "bernoulli",
            ema_decay=0.8,
            quantizer_options={"code_dim": 1, "dead_threshold": 0.0},
            seed=3,
        )
    ),
    "VQVAE2": Row(
        lambda: models.VQVAE2(
            *levels_networks(),
            [4, 3],
            LATENT_DIM,
            commitment_weight=0.5,
            ema_decay=0.8,
            quantizer_options={"init_batches": 0, "dead_threshold": 0.0},
            seed=3,
        )
    ),
    "VQGenerator": Row(generator),
    "VAE iwae": Row(lambda: vae(objective="iwae", num_samples=2)),
}

#: A VAE for each likelihood and prior, which `MODELS` does not repeat.
VARIANTS = {
    "squared_error": Row(lambda: vae("squared_error")),
    "bernoulli": Row(lambda: vae("bernoulli")),
    "continuous_bernoulli": Row(lambda: vae("continuous_bernoulli")),
    "normal fixed": Row(lambda: vae(likelihoods.Normal(0.5))),
    "normal learned": Row(lambda: vae(likelihoods.Normal("learned"))),
    "normal predicted": Row(lambda: vae(likelihoods.Normal("predicted"))),
    "normal optimal": Row(lambda: vae(likelihoods.Normal("optimal"))),
    "logistic mixture": Row(
        lambda: vae(likelihoods.DiscretizedLogisticMixture(2), COLOUR),
        shapes=(COLOUR,),
    ),
    "categorical": Row(lambda: vae(likelihoods.Categorical(4))),
    "mixture prior": Row(lambda: vae(prior=priors.MixturePrior(3))),
    "vamp prior": Row(lambda: vae(prior=priors.VampPrior(3))),
}

LAYERS = {
    "AdditiveGaussianNoise": Row(
        lambda: layers.AdditiveGaussianNoise(0.5, seed=7),
        ((4,),),
        in_functional,
    ),
    "MaskingNoise": Row(
        lambda: layers.MaskingNoise(0.25, seed=7), ((4,),), in_functional
    ),
    "SaltAndPepperNoise": Row(
        lambda: layers.SaltAndPepperNoise(0.25, -1.0, 2.0, seed=7),
        ((4,),),
        in_functional,
    ),
    "CausalAttention2D": Row(
        lambda: layers.CausalAttention2D(
            num_heads=2,
            key_dim=3,
            value_dim=4,
            kernel_initializer="he_normal",
        ),
        ((3, 2, 4), (3, 2, 3)),
        in_functional,
    ),
    "CausalConv2D": Row(
        lambda: layers.CausalConv2D(
            4,
            (2, 3),
            "center",
            include_current=False,
            kernel_initializer="he_normal",
        ),
        (IMAGE,),
        in_functional,
    ),
    "GatedNormal": Row(
        lambda: layers.GatedNormal(5, 2, seed=7), ((4,),), first_output
    ),
    "GatedResidual": Row(
        lambda: layers.GatedResidual(
            4,
            kernel_size=(2, 3),
            anchor="center",
            dropout=0.25,
            seed=7,
        ),
        ((3, 2, 4), (3, 2, 3), (1, 1, 2)),
        several_inputs,
    ),
    "GatedResidual not causal": Row(
        lambda: layers.GatedResidual(4, kernel_size=3, causal=False),
        ((3, 2, 4),),
        in_functional,
    ),
    "PixelSNAILBlock": Row(
        lambda: layers.PixelSNAILBlock(
            4,
            num_residual=1,
            kernel_size=(2, 3),
            anchor="center",
            num_heads=1,
            key_dim=3,
            value_dim=4,
            dropout=0.25,
            seed=7,
        ),
        ((3, 2, 4), (3, 2, 3), (3, 2, 2)),
        in_functional,
    ),
    "KSparse": Row(
        lambda: layers.KSparse(
            schedules.LinearWarmUp(2, start=3.0, end=1.0), inference_alpha=2.0
        ),
        ((4,),),
        in_functional,
    ),
    "BernoulliSparsityRegularizer": Row(
        lambda: layers.BernoulliSparsityRegularizer(
            rho=0.2, beta=0.5, momentum=0.5, epsilon=1e-5
        ),
        ((4,),),
        lambda layer, shapes: in_functional(layer, shapes, "sigmoid"),
    ),
    "VectorQuantizer": Row(
        lambda: layers.VectorQuantizer(
            4, 3, 0.5, 0.9, init_batches=1, code_dim=2, metric="cosine", seed=7
        ),
        ((2, 3),),
        first_output,
    ),
    "NormalHead": Row(
        lambda: layers.NormalHead(
            (3, 2), batch_norm=True, momentum=0.5, seed=7
        ),
        ((3, 4),),
        first_output,
    ),
    "PrecisionWeightedMerge": Row(
        layers.PrecisionWeightedMerge,
        ((4,), (4,), (4,), (4,)),
        lambda layer, shapes: first_output(layer, shapes, "softplus"),
    ),
    "Sampling": Row(
        lambda: layers.Sampling(seed=7), ((4,), (4,)), in_functional
    ),
    "SelfAttention": Row(
        lambda: layers.SelfAttention(num_heads=2, num_groups=4, seed=7),
        ((3, 2, 4),),
        in_functional,
    ),
    "SinusoidalEmbedding": Row(
        lambda: layers.SinusoidalEmbedding(4, scale=10.0, max_period=100.0),
        ((3,),),
        lambda layer, shapes: keras.Sequential(
            [
                keras.Input(shapes[0]),
                keras.layers.Dense(1),
                keras.layers.Reshape(()),
                layer,
            ]
        ),
    ),
    "TimeResidual": Row(
        lambda: layers.TimeResidual(6, num_groups=2, dropout=0.25, seed=7),
        ((3, 2, 4), (3,)),
        in_functional,
    ),
    "TiedDense": Row(
        tied_dense,
        ((4,),),
        lambda layer, shapes: keras.Sequential(
            [keras.Input(shapes[0]), layer.tied_to, layer]
        ),
    ),
    "Bernoulli": Row(likelihoods.Bernoulli, (IMAGE,), in_functional),
    "Categorical": Row(
        lambda: likelihoods.Categorical(4), ((3, 2, 4),), in_functional
    ),
    "ContinuousBernoulli": Row(
        likelihoods.ContinuousBernoulli, (IMAGE,), in_functional
    ),
    "DiscretizedLogisticMixture": Row(
        lambda: likelihoods.DiscretizedLogisticMixture(2, 16, -5.0),
        ((3, 2, 20),),
        in_functional,
    ),
    "Normal": Row(
        lambda: likelihoods.Normal("optimal", momentum=0.5, min_scale=1e-2),
        (IMAGE,),
        in_functional,
    ),
    "SquaredError": Row(likelihoods.SquaredError, (IMAGE,), in_functional),
    "DiagonalNormal": Row(
        lambda: posteriors.DiagonalNormal(2, kernel_initializer="he_normal"),
        (IMAGE,),
        in_functional,
    ),
    "FullCovarianceNormal": Row(
        lambda: posteriors.FullCovarianceNormal(
            2, kernel_initializer="he_normal"
        ),
        (IMAGE,),
        in_functional,
    ),
    "StandardNormal": Row(
        priors.StandardNormal, ((LATENT_DIM,),), in_functional
    ),
    "MixturePrior": Row(
        lambda: priors.MixturePrior(3, spread=0.5),
        ((LATENT_DIM,),),
        in_functional,
    ),
    # It needs an encoder: no layer for a functional model.
    "VampPrior": Row(
        lambda: priors.VampPrior(3, activation="linear"),
        (IMAGE,),
        lambda layer, shapes: vae(prior=layer),
    ),
}

SCHEDULES = {
    "CosineNoise": Row(lambda: schedules.CosineNoise(0.1, max_beta=0.9)),
    "LinearNoise": Row(lambda: schedules.LinearNoise(1e-3, end=0.3)),
    "TabulatedNoise": Row(lambda: schedules.TabulatedNoise([0.25, 0.5])),
    "Cyclical": Row(
        lambda: schedules.Cyclical(6, rising=0.4, cycles=3, start=0.1, end=2.0)
    ),
    "LinearWarmUp": Row(lambda: schedules.LinearWarmUp(5, start=0.25, end=4.0)),
}

ALL = {**MODELS, **LAYERS, **SCHEDULES}


def public_classes():
    """Every public class by name."""
    return {
        name: getattr(package, name)
        for package in PACKAGES
        for name in package.__all__
        if isinstance(getattr(package, name), type)
    }
