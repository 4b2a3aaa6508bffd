from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.models import markov_chain
from keras_vae.models.hierarchy import Hierarchy
from keras_vae.models.markov_chain import Level
from keras_vae.models.sample_axis import tile
from keras_vae.random import Noise
from keras_vae.typing import Scalar
from keras_vae.typing import Shape


@keras.saving.register_keras_serializable(package="keras_vae")
class HierarchicalVAE(Hierarchy):
    """VAE with a chain of latent variables, inferred from below.

    q(z_1..L | x) = q(z_1 | x) q(z_2 | z_1) .. q(z_L | z_{L-1})
    p(x, z_1..L) = p(x | z_1) p(z_1 | z_2) .. p(z_{L-1} | z_L) N(z_L; 0, I)
    loss = reconstruction_loss + beta * sum_l kl_loss_l
    kl_loss_l = E_q[log q(z_l | z_{l-1}) - log p(z_l | z_{l+1})]

    The topmost is a KL divergence in closed form, the others are estimated
    from the drawn chain: z_{l+1} depends on z_l. Lists are bottom first.
    `keras_vae.networks.mlp_hierarchy` makes networks that fit. A network with
    two outputs gives mean and variance itself: such encoders without weights
    are a fixed inference chain, as in diffusion.

    Args:
        encoders: list of L Keras models: x (batch, *event) to features of
            z_1, then z_l to features of z_{l+1}.
        generators: list of L - 1 Keras models, z_{l+1} to features of z_l.
        decoder: Keras model, z_1 to raw likelihood parameters
            (batch, *params_shape).
        latent_dims: list of L ints, or tuples (*positions, channels).
        likelihood: `Likelihood` or its name.
        beta: float or Keras LearningRateSchedule, weight of all KL terms.
        num_samples: int >= 1, samples of the latent variables to average.
        num_importance_samples: int >= 1, samples in each importance-weighted
            bound; if above 1, that is trained, and beta must be 1.
        free_bits: float >= 0, nats of each level that cost nothing. They are
            of the mean over the global batch.
        batch_norm: bool, of the heads that the model makes.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z_1) at the mean of q(z_1 | x)

    Raises:
        ValueError: if the levels do not chain, the networks do not fit the
            likelihood, or a number is out of its range.

    Example:
    >>> networks = keras_vae.networks.mlp_hierarchy(
    ...     (8, 8, 1), latent_dims=(4, 2), units=(32, 16)
    ... )
    >>> model = keras_vae.HierarchicalVAE(*networks, latent_dims=[4, 2])
    >>> codes = model.encode_levels(np.zeros((5, 8, 8, 1), "float32"))
    >>> [code.shape.as_list() for code in codes]
    [[5, 4], [5, 2]]

    Reference:
        Rezende, Mohamed, Wierstra, 2014; Sonderby, Raiko, Maaloe, Sonderby,
        Winther, 2016, section 2.
    """

    def next_input_shape(self, level: int, features_shape: Shape) -> Shape:
        return (None, *self.latent_shapes()[level])

    def upward(self, x: tf.Tensor, training: bool = False) -> list[Any]:
        return [
            self.conditional(
                self.encoders[0], self.encoder_heads[0], x, training
            )
        ]

    def infer(
        self,
        moments: list[Any],
        noise: Noise | None,
        num_samples: Scalar = 1,
        training: bool = False,
    ) -> list[Level]:
        ((mean, variance),) = moments
        moment = tile(mean, num_samples), tile(variance, num_samples)
        posteriors: list[tfd.Distribution] = []
        codes: list[tf.Tensor] = []
        for level in range(self.num_levels):
            if level:
                moment = self.conditional(
                    self.encoders[level],
                    self.encoder_heads[level],
                    codes[-1],
                    training,
                )
            posteriors.append(markov_chain.normal(*moment))
            codes.append(markov_chain.draw(posteriors[-1], noise))
        levels = []
        for level, (z, posterior) in enumerate(zip(codes, posteriors)):
            top = level + 1 == self.num_levels
            above = None if top else codes[level + 1]
            prior = self.level_prior(level, above, z, training)
            levels.append(markov_chain.Level(z, posterior, prior, exact=top))
        return levels
