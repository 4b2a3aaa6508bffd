"""Models of images on equal terms: the same data, about the same time.

    python -m recipes.leaderboard --model ladder
    python -m recipes.leaderboard --model pixel_snail --pixels grey
    python -m recipes.leaderboard --model ladder --data mnist

trains one model for about `--minutes` on one core and measures it. Rows with
the same --data and --pixels may be compared, those with other pixels may not:

    binary  pixels drawn anew in every epoch, test images once; nats per image
    grey    256 levels (17 in digits); bits per pixel, of discrete likelihoods

NLL is the importance-weighted bound of models with continuous latent
variables, exact for PixelSNAIL, and the bound of codes and reconstruction for
the VQ-VAE with its prior and of all levels for diffusion. Rate and distortion
are the parts of the bound with one sample. The networks are of modest, not of
equal size.
"""

import dataclasses
import math
from typing import Literal

import numpy as np

import keras_vae
from keras_vae import datasets
from keras_vae import likelihoods
from keras_vae import metrics
from keras_vae import networks
from keras_vae import priors
from keras_vae import schedules
from recipes import codes
from recipes import harness
from recipes import optimizers
from recipes.data import grey_levels

# Passes over 60000 images of MNIST in a minute, (binary, grey), measured on one
# core of an AMD EPYC with AVX512, of two that were busy.
EPOCHS_PER_MINUTE = {
    "vae": (12.5, 3.2),
    "iwae": (6.0, 1.0),
    "vamp_prior": (7.6, 2.9),
    "hierarchical": (8.2, 3.0),
    "ladder": (7.2, 2.9),
    "vq_vae": (2.8, 1.9),
    "prior": (3.8, 3.5),
    "pixel_snail": (0.066, 0.047),
    "diffusion": (None, 0.25),
}
# Filters and images in a batch: slow models take more, smaller steps.
DEFAULTS = {"pixel_snail": (32, 16), "diffusion": (16, 32)}
SMOKE = {
    "epochs": 1,
    "latent_dim": 4,
    "units": 16,
    "filters": 8,
    "nll_samples": 10,
    "num_test": 20,
    "num_steps": 10,
}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        model: Which one.
        pixels: What a pixel is, and with it the unit of the results.
        minutes: Time of training on images of 28x28, which fixes the epochs;
            a prior of codes has half of it. Smaller images take less.
        epochs: Passes over the training images; default: as many as took
            about `minutes` on one core, or a part of one.
        batch_size: Images in a batch, over all replicas; default: 16 for
            pixel_snail, which has hundreds of targets in each, 32 for
            diffusion, 100 for others.
        latent_dim: Size of z; of the lowest level of a hierarchy.
        units: Width of fully connected layers; of the lowest level.
        filters: Of convolutions; default: 16 for diffusion, 32 for others.
        learning_rate: Of the first step; it falls to 0.
        num_components: Logistic distributions of a grey pixel.
        num_levels: Grey levels; default: 17 for digits, 256 elsewhere.
        num_steps: T of the diffusion model.
        nll_samples: Importance samples for each test image.
        num_test: Test images that are measured, a random part of them.
    """

    model: Literal[
        "vae",
        "iwae",
        "vamp_prior",
        "hierarchical",
        "ladder",
        "vq_vae",
        "pixel_snail",
        "diffusion",
    ] = "vae"
    pixels: Literal["binary", "grey"] = "binary"
    minutes: float = 4.0
    epochs: int | None = None
    batch_size: int | None = None
    latent_dim: int = 64
    units: int = 512
    filters: int | None = None
    learning_rate: float = 1e-3
    num_components: int = 3
    num_levels: int | None = None
    num_steps: int = 500
    nll_samples: int = 500
    num_test: int = 1000


def check(config):
    """Raises a ValueError if the settings contradict each other."""
    if config.model == "diffusion" and config.pixels == "binary":
        raise ValueError(
            "`pixels` must be grey for a diffusion model. "
            f"Received: model={config.model}, pixels={config.pixels}"
        )


def completed(config):
    """With the defaults that the model decides."""
    filters, batch_size = DEFAULTS.get(config.model, (32, 100))
    return dataclasses.replace(
        config,
        filters=filters if config.filters is None else config.filters,
        batch_size=batch_size
        if config.batch_size is None
        else config.batch_size,
    )


def passes_of(config, images, part=1.0, stage=None):
    """Passes over that many training images, in a part of the time."""
    if config.epochs is not None:
        return config.epochs
    pace = EPOCHS_PER_MINUTE[stage or config.model][config.pixels == "grey"]
    passes = part * config.minutes * pace * 60_000 / images
    return passes if passes < 1 else round(passes)


def shortened(data, passes):
    """Data whose epoch is that part of all of it, in calls of ten steps."""
    steps = 10 * round(passes * data.steps_per_epoch / 10)
    return dataclasses.replace(data, steps_per_epoch=max(1, steps))


def likelihood_of(config):
    """Of one pixel, given the decoder's numbers."""
    if config.pixels == "binary":
        return likelihoods.get("bernoulli")
    return likelihoods.DiscretizedLogisticMixture(
        config.num_components, grey_levels(config)
    )


# === Models, not compiled ===


def vae(config, data, steps, **kwargs):
    likelihood = likelihood_of(config)
    return keras_vae.VAE(
        networks.mlp_encoder(
            data.event_shape, (config.units,) * 2, seed=config.seed
        ),
        networks.mlp_decoder(
            config.latent_dim,
            likelihood.params_shape(data.event_shape),
            (config.units,) * 2,
            seed=config.seed + 1,
        ),
        config.latent_dim,
        likelihood=likelihood,
        seed=config.seed,
        **kwargs,
    )


def iwae(config, data, steps):
    return vae(config, data, steps, num_samples=5, objective="iwae")


def vamp_prior(config, data, steps):
    return vae(config, data, steps, prior=priors.VampPrior(100))


def hierarchy(config, data, steps, ladder=False):
    likelihood = likelihood_of(config)
    sizes = [max(2, config.latent_dim // 2**level) for level in range(3)]
    model = keras_vae.LadderVAE if ladder else keras_vae.HierarchicalVAE
    return model(
        *networks.mlp_hierarchy(
            data.event_shape,
            sizes,
            [max(4, config.units // 2**level) for level in range(3)],
            ladder=ladder,
            batch_norm=True,
            output_shape=likelihood.params_shape(data.event_shape),
            seed=config.seed,
        ),
        latent_dims=sizes,
        likelihood=likelihood,
        beta=schedules.LinearWarmUp(max(1, steps // 5)),
        batch_norm=True,
        seed=config.seed,
    )


def ladder(config, data, steps):
    return hierarchy(config, data, steps, ladder=True)


def pixel_snail(config, data, steps):
    # Binary pixels have a likelihood too: images keep their channel.
    return keras_vae.PixelSNAIL(
        data.event_shape,
        likelihood=likelihood_of(config),
        num_heads=2,
        filters=config.filters,
        num_blocks=2,
        num_residual=2,
        seed=config.seed,
    )


def diffusion(config, data, steps):
    return keras_vae.DiffusionModel(
        networks.unet(data.event_shape, config.filters, seed=config.seed),
        num_steps=config.num_steps,
        num_levels=grey_levels(config),
        seed=config.seed,
    )


def vq_vae(config, data, steps):
    likelihood = likelihood_of(config)
    encoder = networks.residual_encoder(
        data.event_shape,
        16,
        filters=2 * config.filters,
        num_residual_layers=1,
        input_mean=float(np.mean(data.mean)),
        seed=config.seed,
    )
    decoder = networks.residual_decoder(
        encoder.output_shape[1:],
        likelihood.params_shape(data.event_shape),
        filters=2 * config.filters,
        num_residual_layers=1,
        seed=config.seed + 1,
    )
    return keras_vae.VQVAE(
        encoder, decoder, 64, 16, likelihood, seed=config.seed
    )


BUILD = {
    "vae": vae,
    "iwae": iwae,
    "vamp_prior": vamp_prior,
    "hierarchical": hierarchy,
    "ladder": ladder,
    "vq_vae": vq_vae,
    "pixel_snail": pixel_snail,
    "diffusion": diffusion,
}


# === Training ===


def fit(config, run, data, make, passes, stage=None, monitor=None):
    """The trained model; the last epoch is taken."""
    if passes < 1:
        data = shortened(data, passes)
    epochs = max(1, passes)
    steps = epochs * data.steps_per_epoch
    with run.strategy.scope():
        model = make(steps)
        adam = optimizers.adam(
            config.learning_rate, epochs, data, global_clipnorm=100.0
        )
        run.compile(model, adam, data)
    return run.fit(model, data, monitor=monitor, stage=stage, epochs=epochs)


def fit_vq_vae(config, run, data, images):
    """A VQ-VAE, then the prior of its codes: half of the time each."""
    model = fit(
        config,
        run,
        data,
        lambda steps: vq_vae(config, data, steps),
        passes_of(config, images, 0.5),
        "vq_vae",
    )
    arrays = run.arrays().as_float32()
    if config.pixels == "binary":
        # The prior's codes are of one draw of the pixels.
        arrays = _binary(arrays, config.seed)
    indices = codes.extract(run, model, arrays, ["prior"])
    codes_data = codes.prior_data(run, indices, 0)
    prior = fit(
        config,
        run,
        codes_data,
        lambda steps: keras_vae.PixelSNAIL(
            model.code_shapes()[0],
            model.quantizers[0].num_embeddings,
            num_heads=2,
            filters=config.filters,
            num_blocks=1,
            num_residual=2,
            seed=config.seed,
        ),
        passes_of(config, images, 0.5, "prior"),
        "prior",
        "val_neg_elbo",
    )
    return keras_vae.VQGenerator(model, prior) if run.chief else None


def _binary(arrays, seed):
    return dataclasses.replace(
        arrays,
        **{
            split: datasets.binarize(getattr(arrays, split), seed)
            for split in ("x_train", "x_validation", "x_test")
        },
    )


# === Numbers: nats per image ===


def of_vae(config, model, x):
    model.compile()
    terms = model.evaluate(x, batch_size=500, verbose=0, return_dict=True)
    return {
        "nll": -float(np.mean(model.log_likelihood(x, config.nll_samples))),
        "rate": terms["kl_loss"],
        "distortion": terms["reconstruction_loss"],
        "active_units": metrics.active_units(model, x).count,
    }


def of_hierarchy(config, model, x):
    terms = model.elbo_levels(x)
    distortion = float(terms["reconstruction_loss"].mean())
    total = float(sum(terms.values()).mean())
    return {
        "nll": -float(np.mean(model.log_likelihood(x, config.nll_samples))),
        "rate": total - distortion,
        "distortion": distortion,
        "active_units": sum(
            row.active_variance for row in metrics.units_by_level(model, x)
        ),
    }


def of_codes(config, model, x):
    model.compile()
    terms = model.evaluate(x, batch_size=100, verbose=0, return_dict=True)
    return {
        "nll": terms["neg_elbo"],
        "rate": terms["kl_loss"],
        "distortion": terms["reconstruction_loss"],
    }


def of_pixels(config, model, x):
    model.compile()
    terms = model.evaluate(x, batch_size=100, verbose=0, return_dict=True)
    return {"nll": terms["neg_log_likelihood"]}


def of_diffusion(config, model, x):
    # Every level of the bound is a pass over the images.
    terms = model.elbo_levels(x[:100], seed=config.seed)
    distortion = float(terms["reconstruction_loss"].mean())
    rate = terms["prior_loss"] + terms["diffusion_loss"].sum(axis=1)
    rate = float(rate.mean())
    return {"nll": rate + distortion, "rate": rate, "distortion": distortion}


MEASURE = {
    "hierarchical": of_hierarchy,
    "ladder": of_hierarchy,
    "vq_vae": of_codes,
    "pixel_snail": of_pixels,
    "diffusion": of_diffusion,
}


def in_bits(numbers, event_shape):
    """Bits per pixel in the place of nats per image."""
    bit = math.prod(event_shape) * math.log(2.0)
    counts = {"active_units"} & set(numbers)
    return {
        f"{name}_bits": value / bit
        for name, value in numbers.items()
        if name not in counts
    } | {name: numbers[name] for name in counts}


def speed(config, run, data):
    """Training images in a second, of the stage that ran last."""
    images = data.steps_per_epoch * config.batch_size
    stage = (0.5, "prior") if config.model == "vq_vae" else ()
    passes = min(1, passes_of(config, images, *stage))
    return round(passes * images / np.median(run.history["seconds"]))


def train(config):
    check(config)
    config = completed(config)
    with harness.Run("leaderboard", config) as run:
        data = run.load(
            "dynamic" if config.pixels == "binary" else None,
            drop_remainder=True,
        )
        images = data.steps_per_epoch * config.batch_size
        note = None
        if config.model == "vq_vae":
            model = fit_vq_vae(config, run, data, images)
        else:
            build = BUILD[config.model]
            passes = passes_of(config, images)
            if passes < 1:
                note = f"epochs: {passes:.2f} passes over the training images"
            model = fit(
                config,
                run,
                data,
                lambda steps: build(config, data, steps),
                passes,
            )
        if not run.chief:
            return
        x, _ = data.examples(config.num_test)
        numbers = MEASURE.get(config.model, of_vae)(config, model, x)
        if config.pixels == "grey":
            numbers = in_bits(numbers, data.event_shape)
        numbers["parameters"] = model.count_params()
        for stage in run.histories:
            name = f"loss_curves_{stage}" if stage else "loss_curves"
            run.save_figure(name, run.draw_history(stage))
        speeds = {"images_per_second": speed(config, run, data)}
        run.finish(model, numbers, note=note, speeds=speeds)


def main(argv=None):
    harness.command_line("leaderboard", train, Config, smoke=SMOKE, argv=argv)


if __name__ == "__main__":
    main()
