from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.layers.precision_weighted_merge import PrecisionWeightedMerge
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import markov_chain
from keras_vae.models.hierarchy import Hierarchy
from keras_vae.models.markov_chain import Level
from keras_vae.models.sample_axis import tile
from keras_vae.random import Noise
from keras_vae.typing import Network
from keras_vae.typing import Scalar
from keras_vae.typing import Shape


@keras.saving.register_keras_serializable(package="keras_vae")
class LadderVAE(Hierarchy):
    """VAE with a chain of latent variables, inferred from above.

    d_1 = encoder_1(x),  d_l = encoder_l(d_{l-1})
    q(z_L | x) = N(mean(d_L), variance(d_L))
    q(z_l | z_{l+1}, x) = the product of N(mean(d_l), variance(d_l)) and
        p(z_l | z_{l+1}), normalised
    p(x, z_1..L) = p(x | z_1) p(z_1 | z_2) .. p(z_{L-1} | z_L) N(z_L; 0, I)
    loss = reconstruction_loss + beta * sum_l kl_loss_l

    All KL terms are in closed form, given the level above. With
    `inference_networks` the product is not with p(z_l | z_{l+1}) but with a
    distribution of their own (the paper's first version). Lists are bottom
    first. `keras_vae.networks.mlp_hierarchy(..., ladder=True)` makes networks
    that fit.

    Args:
        encoders: list of L Keras models: x (batch, *event) to features d_1,
            then d_l to d_{l+1}.
        generators: list of L - 1 Keras models, z_{l+1} to features of z_l.
        decoder: Keras model, z_1 to raw likelihood parameters
            (batch, *params_shape).
        latent_dims: list of L ints, or tuples (*positions, channels).
        likelihood: `Likelihood` or its name.
        inference_networks: None, or list of L - 1 Keras models, z_{l+1} to
            features of z_l.
        **kwargs: `beta`, `num_samples`, `num_importance_samples`,
            `free_bits`, `batch_norm`, as in `keras_vae.HierarchicalVAE`, and
            `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z_1) with all levels at the means
        of q

    Raises:
        ValueError: if the levels do not chain, the networks do not fit the
            likelihood, or a number is out of its range.

    Example:
    >>> networks = keras_vae.networks.mlp_hierarchy(
    ...     (8, 8, 1), latent_dims=(4, 2), units=(32, 16), ladder=True
    ... )
    >>> model = keras_vae.LadderVAE(*networks, latent_dims=[4, 2])
    >>> codes = model.encode_levels(np.zeros((5, 8, 8, 1), "float32"))
    >>> [code.shape.as_list() for code in codes]
    [[5, 4], [5, 2]]

    Reference:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, 2016, section 2.1.
    """

    head_groups = ("q", "p", "t")

    def __init__(
        self,
        encoders: Sequence[Network],
        generators: Sequence[Network],
        decoder: Network,
        latent_dims: Sequence[int | Sequence[int]],
        likelihood: Likelihood | str = "bernoulli",
        inference_networks: Sequence[Network] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            encoders, generators, decoder, latent_dims, likelihood, **kwargs
        )
        if inference_networks is not None:
            count = self.num_levels - 1
            if len(inference_networks) != count:
                raise ValueError(
                    f"`inference_networks` must hold {count} models, as "
                    f"`generators`. Received: {len(inference_networks)} models"
                )
            inference_networks = list(inference_networks)
            self.inference_heads = self.make_heads("t", inference_networks)
        self.inference_networks = inference_networks
        self.merge = PrecisionWeightedMerge(name="merge")

    def next_input_shape(self, level: int, features_shape: Shape) -> Shape:
        if self.encoder_heads[level] is None:
            raise ValueError(
                f"`encoders[{level}]` must give features for the level above, "
                "not mean and variance. "
                f"Received: outputs of shapes {features_shape}"
            )
        return tuple(features_shape)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        shapes = self.latent_shapes()
        for level, network in enumerate(self.inference_networks or []):
            self.build_conditional(
                f"inference_networks[{level}]",
                network,
                self.inference_heads[level],
                (None, *shapes[level + 1]),
                level,
            )

    def upward(self, x: tf.Tensor, training: bool = False) -> list[Any]:
        moments = []
        for encoder, head in zip(self.encoders, self.encoder_heads):
            if head is None:
                moments.append(self.conditional(encoder, None, x, training))
            else:
                x = encoder(x, training=training)
                moments.append(head(x, training=training))
        return moments

    def infer(
        self,
        moments: list[Any],
        noise: Noise | None,
        num_samples: Scalar = 1,
        training: bool = False,
    ) -> list[Level]:
        levels: list[Level] = []
        above = None
        for level in reversed(range(self.num_levels)):
            moment = [tile(part, num_samples) for part in moments[level]]
            prior = self.level_prior(level, above, moment[0], training)
            if above is not None:
                downward = self._downward(level, above, prior, training)
                moment = self.merge([*moment, *downward])
            posterior = markov_chain.normal(*moment)
            above = markov_chain.draw(posterior, noise)
            levels.insert(
                0, markov_chain.Level(above, posterior, prior, exact=True)
            )
        return levels

    def _downward(self, level, above, prior, training):
        """Mean and variance that inference takes from the level above."""
        if self.inference_networks is None:
            shared = prior.distribution
            return shared.loc, shared.variance()
        return self.conditional(
            self.inference_networks[level],
            self.inference_heads[level],
            above,
            training,
        )
