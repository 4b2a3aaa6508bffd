"""Burda, Grosse, Salakhutdinov, 2016, Importance Weighted Autoencoders.

    python -m recipes.iwae_burda2016 --preset mnist --num-samples 5

trains the paper's network with one stochastic layer on the bound with K
samples of z, with K = 1 on the ELBO. Plain defaults take a minute or two on
8x8 digits; `--preset mnist` trains for eight minutes with K = 1 and twenty
with K = 5 on two busy cores, and the NLL of all test images takes another ten;
`--preset paper` is the paper's schedule, 3280 epochs.

Test images are binarised once, training images anew in every epoch. The NLL
is the bound with 5000 samples. Table 1 of the paper:

    K                         1             5            50
    MNIST, NLL (units)   86.76 (19)    85.54 (22)    84.78 (25)
    OMNIGLOT            108.11 (28)   106.12 (34)   104.67 (41)
"""

import dataclasses
from typing import Literal

import keras
import numpy as np

import keras_vae
from keras_vae import metrics
from keras_vae import networks
from keras_vae import schedules
from recipes import harness
from recipes import settings
from recipes.data import mean_logits

# Table 1: data and K to NLL and active units.
TABLE_1 = {
    ("mnist", 1): (86.76, 19),
    ("mnist", 5): (85.54, 22),
    ("mnist", 50): (84.78, 25),
    ("omniglot", 1): (108.11, 28),
    ("omniglot", 5): (106.12, 34),
    ("omniglot", 50): (104.67, 41),
}

MNIST = {"data": "mnist", "learning_rate": 2e-3, "validation_fraction": 0.01}
PRESETS = {
    "default": {},
    "mnist": {**MNIST, "epochs": 130},
    "omniglot": {
        **MNIST,
        "data": "omniglot",
        "validation_fraction": 0.05,
        "epochs": 150,
    },
    "paper": {
        **MNIST,
        "batch_size": 20,
        "epochs": 3280,
        "learning_rate": 1e-3,
        "decay": "stages",
    },
}
SMOKE = {"epochs": 2, "nll_samples": 10, "num_test": 50}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        num_samples: K, samples of z in the bound that is trained.
        learning_rate: Of the first step.
        decay: cosine: the learning rate falls to 0 over the run; stages: the
            paper's eight, each three times as long as the one before, down
            to a tenth.
        adam_beta_1: Of Adam.
        adam_epsilon: Of Adam.
        weight_average: Momentum of an average of the weights over the steps,
            which is what is measured and exported; 0: none.
        warm_up: Epochs in which the weight of the KL rises from 0 to 1, for
            K = 1.
        nll_samples: Importance samples for each test image.
        num_test: Test images whose NLL is estimated, a random part of them;
            default: all.
    """

    preset: Literal["default", "mnist", "omniglot", "paper"] = "default"
    epochs: int = 100
    num_samples: int = 1
    learning_rate: float = 2e-3
    decay: Literal["constant", "cosine", "stages"] = "cosine"
    adam_beta_1: float = 0.9
    adam_epsilon: float = 1e-4
    weight_average: float = 0.0
    warm_up: settings.MayBeZero = 0
    nll_samples: int = 5000
    num_test: int | None = None


def build(config, data):
    """The model, not compiled."""
    beta = 1.0
    if config.warm_up:
        beta = schedules.LinearWarmUp(config.warm_up * data.steps_per_epoch)
    return keras_vae.VAE(
        networks.mlp_encoder(data.event_shape, (200, 200), "tanh"),
        networks.mlp_decoder(
            50,
            data.event_shape,
            (200, 200),
            "tanh",
            output_bias=mean_logits(data),
        ),
        latent_dim=50,
        beta=beta,
        num_samples=config.num_samples,
        objective="elbo" if config.num_samples == 1 else "iwae",
        seed=config.seed,
    )


def learning_rate(config, data):
    """A number, or a schedule over the steps of the run."""
    steps = config.epochs * data.steps_per_epoch
    if config.decay == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            config.learning_rate, steps
        )
    if config.decay == "stages":
        # 1 + 3 + ... + 3^i of 3280 epochs.
        ends = [(3 ** (i + 1) - 1) // 2 / 3280 for i in range(7)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(
            [round(end * steps) for end in ends],
            [config.learning_rate * 10 ** (-i / 7) for i in range(8)],
        )
    return config.learning_rate


def optimizer(config, data):
    """Adam and its schedule."""
    return keras.optimizers.Adam(
        learning_rate(config, data),
        beta_1=config.adam_beta_1,
        epsilon=config.adam_epsilon,
        use_ema=config.weight_average > 0,
        ema_momentum=config.weight_average,
    )


def evaluate(config, model, data):
    """Numbers of the test images, by name."""
    logs = model.evaluate(
        data.x_test, batch_size=1000, verbose=0, return_dict=True
    )
    x, _ = data.examples(config.num_test)
    bound = model.log_likelihood(x, config.nll_samples)
    return {
        "test_nll": -float(np.mean(bound)),
        "active_units": metrics.active_units(model, data.x_test).count,
        "test_neg_elbo": logs["neg_elbo"],
        "nll_samples": config.nll_samples,
        "num_test": len(x),
    }


def train(config):
    with harness.Run("iwae_burda2016", config) as run:
        data = run.load("dynamic")
        with run.strategy.scope():
            model = build(config, data)
            run.compile(model, optimizer(config, data), data)
        iwae = model.objective == "iwae"
        best = run.fit(
            model, data, "val_neg_iw_bound" if iwae else "val_neg_elbo"
        )
        if best is None:
            return
        run.draw(best, data)
        paper, note = {}, "The paper has no numbers for these data and this K."
        if (config.data, config.num_samples) in TABLE_1:
            nll, units = TABLE_1[config.data, config.num_samples]
            paper = {"test_nll": nll, "active_units": units}
            note = "The paper trained for 3280 epochs."
        run.finish(best, evaluate(config, best, data), paper, note)


def main(argv=None):
    harness.command_line("iwae_burda2016", train, Config, PRESETS, SMOKE, argv)


if __name__ == "__main__":
    main()
