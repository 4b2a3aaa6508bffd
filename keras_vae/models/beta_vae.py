from typing import Any

import keras
import tensorflow as tf

from keras_vae import data_checks
from keras_vae import random
from keras_vae.arguments import non_negative
from keras_vae.arguments import positive_int
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.models import architecture
from keras_vae.models.total_correlation import decomposed_kl
from keras_vae.models.total_correlation import shuffled_units
from keras_vae.models.vae import VAE
from keras_vae.posteriors import DiagonalNormal
from keras_vae.posteriors.posterior import Posterior
from keras_vae.priors.prior import Prior
from keras_vae.typing import Network
from keras_vae.typing import Shape
from keras_vae.typing import Weight

_KERAS_BATCH_SIZE = 32
_KINDS = (None, "weighted", "stratified", "discriminator")


@keras.saving.register_keras_serializable(package="keras_vae")
class BetaVAE(VAE):
    """VAE whose KL, or a part of it, has another weight than 1.

    loss = reconstruction_loss + beta * kl_loss

    With `capacity`, a number of nats that may follow a schedule:
    loss = reconstruction_loss + gamma * capacity_loss
    capacity_loss = |mean over the global batch of KL - capacity|

    With `total_correlation="weighted"` or `"stratified"`, two estimates of
    log q(z) from the global batch, named after the weights of its examples:
    loss = reconstruction_loss + mutual_information_loss
        + beta * total_correlation_loss + dimension_kl_loss
    KL(q(z|x) || p(z)) = I(z; x) + KL(q(z) || prod_d q(z_d))
        + sum_d KL(q(z_d) || p(z_d))

    With `total_correlation="discriminator"`:
    loss = reconstruction_loss + kl_loss + beta * total_correlation_loss
    total_correlation_loss = mean of D(z)
    discriminator_loss = mean of 1/2 softplus(-D(z)) + 1/2 softplus(D(z'))
    where z' is z with each unit permuted over the batch; only the
    discriminator D follows `discriminator_loss`, with its own optimizer.

    `kl_loss` is part of `neg_elbo` in all of them, whatever its weight.

    Args:
        encoder, decoder, latent_dim, likelihood, prior, posterior: as in
            `keras_vae.VAE`.
        beta: float >= 0 or Keras LearningRateSchedule: of the KL, or of the
            total correlation; not with `capacity`.
        capacity: None, float >= 0 or Keras LearningRateSchedule, nats.
        gamma: float >= 0, weight of `capacity_loss`.
        total_correlation: None, "weighted", "stratified" or "discriminator".
        num_examples: int, of the training set, for the first two; at least
            the size of a batch, which `fit` checks.
        discriminator: Keras model, z (batch, latent_dim) to logits (batch, 1).
        discriminator_optimizer: Keras optimizer.
        **kwargs: `num_samples`, of z for each example, `seed`, `name`,
            `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z) at the mean of q(z | x)

    Raises:
        ValueError: if an argument is out of range, contradicts another or is
            missing, or the networks do not fit each other.

    Example:
    >>> encoder = keras_vae.networks.mlp_encoder((8, 8, 1), units=(32,))
    >>> decoder = keras_vae.networks.mlp_decoder(4, (8, 8, 1), units=(32,))
    >>> model = keras_vae.BetaVAE(encoder, decoder, latent_dim=4, beta=4.0)
    >>> model.encode(np.zeros((5, 8, 8, 1), "float32")).shape
    TensorShape([5, 4])

    Reference:
        Higgins et al., 2017, equation 4; Burgess et al., 2018, equation 8;
        Chen, Li, Grosse, Duvenaud, 2018, equation 4; Kim, Mnih, 2018,
        equation 2.
    """

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        latent_dim: int,
        likelihood: Likelihood | str = "bernoulli",
        prior: Prior | str = "standard_normal",
        posterior: Posterior | str = "diagonal_normal",
        beta: Weight = 4.0,
        capacity: Weight | None = None,
        gamma: float = 1000.0,
        total_correlation: str | None = None,
        num_examples: int | None = None,
        discriminator: keras.Model | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        _check_kind(total_correlation, capacity)
        kl_weight = beta
        if capacity is not None or total_correlation in _KINDS[1:3]:
            kl_weight = 0.0
        elif total_correlation == "discriminator":
            kl_weight = 1.0
        super().__init__(
            encoder,
            decoder,
            latent_dim,
            likelihood,
            prior,
            posterior,
            kl_weight,
            **kwargs,
        )
        self.beta = beta
        self.capacity = capacity
        self.gamma = gamma
        self.total_correlation = total_correlation
        self.num_examples = num_examples
        self.discriminator: keras.Model = discriminator
        self.discriminator_optimizer = discriminator_optimizer
        if capacity is not None:
            self._declare_capacity()
        elif total_correlation is not None:
            self._declare_total_correlation()

    def _declare_capacity(self):
        non_negative("capacity", self.capacity)
        non_negative("gamma", self.gamma)
        self.add_term("capacity_loss", self.gamma)

    def _declare_total_correlation(self):
        non_negative("beta", self.beta)
        if self.num_samples != 1 or self.objective != "elbo":
            raise ValueError(
                "`total_correlation` is of one sample and of the ELBO. "
                f"Received: num_samples={self.num_samples}, "
                f"objective={self.objective!r}"
            )
        if not isinstance(self.posterior_layer, DiagonalNormal):
            raise ValueError(
                "`posterior` must be a diagonal normal: the total correlation "
                "compares units. "
                f"Received: posterior={self.posterior_layer!r}"
            )
        if self.total_correlation != "discriminator":
            positive_int("num_examples", self.num_examples)
            self.add_term("mutual_information_loss")
            self.add_term("total_correlation_loss", self.beta)
            self.add_term("dimension_kl_loss")
            return
        if self.discriminator is None or self.discriminator_optimizer is None:
            raise ValueError(
                'total_correlation="discriminator" needs `discriminator` and '
                "`discriminator_optimizer`. "
                f"Received: discriminator={self.discriminator}, "
                f"discriminator_optimizer={self.discriminator_optimizer}"
            )
        self.add_group(
            "discriminator", self.discriminator, self.discriminator_optimizer
        )
        self.add_term("total_correlation_loss", self.beta)
        self.add_term("discriminator_loss", group="discriminator")

    def build_latent(self, features_shape: Shape) -> Shape:
        latent_shape = super().build_latent(features_shape)
        if self.total_correlation == "discriminator":
            if not self.discriminator.built:
                self.discriminator.build(latent_shape)
            shape = self.discriminator.compute_output_shape(latent_shape)
            if tuple(shape)[1:] != (1,):
                raise ValueError(
                    "`discriminator` must map z (batch, latent_dim) to logits "
                    f"(batch, 1). Received: outputs of shape {tuple(shape)}"
                )
            architecture.check_logits("discriminator", self.discriminator)
            self.build_groups()
        return latent_shape

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """As `VAE.fit`; a batch larger than `num_examples` is an error.

        Raises:
            ValueError: as `VAE.fit`, and if that is so.
        """
        if self.num_examples is not None:
            self._check_batch(x, batch_size)
        return super().fit(x, y, batch_size, *args, **kwargs)

    def _check_batch(self, x, batch_size):
        arrays, _ = data_checks.first_arrays(x, None, "x")
        if arrays is None:
            return
        size = len(keras.tree.flatten(arrays)[0])
        if not isinstance(x, tf.data.Dataset):
            size = min(size, batch_size or _KERAS_BATCH_SIZE)
        if size > self.num_examples:
            raise ValueError(
                "`num_examples` counts the training set and is at least the "
                f"size of a batch. Received: num_examples={self.num_examples}, "
                f"batches of {size}"
            )

    # === Objective ===

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        terms, posterior, z = self.terms_and_codes(x, y, training)
        if self.capacity is not None:
            terms["capacity_loss"] = self._capacity_loss(terms["kl_loss"])
        elif self.total_correlation == "discriminator":
            terms |= self._discriminated(z[0], training)
        elif self.total_correlation and self.num_examples is not None:
            values = decomposed_kl(
                z[0],
                posterior,
                self.prior.distribution(self._encoder_at(training)),
                self.total_correlation,
                self.num_examples,
            )
            names = ("mutual_information", "total_correlation", "dimension_kl")
            for name, value in zip(names, values):
                terms[f"{name}_loss"] = value
        return terms

    def _capacity_loss(self, kl):
        total, count = random.all_reduce_sum(
            [tf.reduce_sum(kl), tf.cast(tf.size(kl), "float32")]
        )
        capacity = self.capacity
        if callable(capacity):
            capacity = tf.cast(capacity(self.step), "float32")
        return tf.abs(tf.math.divide_no_nan(total, count) - capacity)

    def _discriminated(self, z, training):
        """Terms of z and of z with its units shuffled."""
        shuffled = shuffled_units(z, random.current_noise())
        # Each term moves the weights of its own group alone.
        real, fake = (
            tf.cast(self.discriminator(codes, training=training), "float32")
            for codes in (z, shuffled)
        )
        loss = 0.5 * (tf.nn.softplus(-real) + tf.nn.softplus(fake))
        return {
            "total_correlation_loss": real[:, 0],
            "discriminator_loss": loss[:, 0],
        }


def _check_kind(total_correlation, capacity):
    if total_correlation not in _KINDS:
        raise ValueError(
            f"`total_correlation` must be one of {list(_KINDS)}. "
            f"Received: total_correlation={total_correlation!r}"
        )
    if capacity is not None and total_correlation is not None:
        raise ValueError(
            "`capacity` and `total_correlation` are two objectives, give one. "
            f"Received: capacity={capacity}, "
            f"total_correlation={total_correlation!r}"
        )
