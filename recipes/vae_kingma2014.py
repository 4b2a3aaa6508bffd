"""Kingma, Welling, 2014, Auto-Encoding Variational Bayes.

    python -m recipes.vae_kingma2014

trains a small VAE on 8x8 handwritten digits, binarised anew in every epoch, in
about a minute on two cores. `--preset paper` is the network and optimizer of
the paper's appendix C. The paper prints curves, no table: its numbers here are
read off figure 2, to a nat or two.
"""

import dataclasses
from typing import Literal

import keras

import keras_vae
from keras_vae import metrics
from keras_vae import networks
from recipes import harness

RECIPE = "vae_kingma2014"

# Figure 2, MNIST: test ELBO at the right end of the curves.
FIGURE_2 = {10: 105.0, 20: 101.0, 200: 100.0}

PRESETS = {
    "default": {},
    "paper": {
        "data": "mnist",
        "units": (500,),
        "latent_dim": 20,
        "optimizer": "adagrad",
        "learning_rate": 0.02,
        "decay": "constant",
        "weight_init": 0.1,
        "weight_decay": True,
        "epochs": 200,
    },
}
SMOKE = {"epochs": 2, "num_samples": 10}


@dataclasses.dataclass(frozen=True)
class Config(harness.Config):
    """Settings of this recipe.

    Args:
        preset: What the other flags default to.
        binarize: dynamic: the pixels of the training images are drawn anew
            in every epoch, those of the others once; static: all once.
        latent_dim: Number of latent units.
        units: Widths of the encoder's hidden layers; the decoder's are the
            same, in reverse.
        activation: Of the hidden layers.
        optimizer: Keras optimizer.
        learning_rate: At the beginning.
        decay: cosine: the learning rate falls to 0 over the run.
        num_samples: Importance samples of the test NLL.
    """
