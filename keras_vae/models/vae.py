import numbers
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import ArrayLike
from tensorflow_probability import distributions as tfd

from keras_vae import posteriors
from keras_vae import priors
from keras_vae import random
from keras_vae.arguments import non_negative
from keras_vae.arguments import positive_int
from keras_vae.arguments import sample_count
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.losses import importance_weighted_bound
from keras_vae.models import architecture
from keras_vae.models import latent_walks
from keras_vae.models.encoder_decoder import EncoderDecoder
from keras_vae.models.importance_weighted import ImportanceWeighted
from keras_vae.posteriors.posterior import Posterior
from keras_vae.priors.prior import Prior
from keras_vae.typing import Array
from keras_vae.typing import ExportSignature
from keras_vae.typing import Network
from keras_vae.typing import Scalar
from keras_vae.typing import Seed
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike
from keras_vae.typing import Weight


@keras.saving.register_keras_serializable(package="keras_vae")
class VAE(ImportanceWeighted, EncoderDecoder):
    """Variational autoencoder, trained on the ELBO or on the IWAE bound.

    ELBO(x) = E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z)) <= log p(x)
    loss = reconstruction_loss + beta * kl_loss      (objective="elbo")
    L_K(x) = E[log 1/K sum_k p(x,z_k) / q(z_k|x)]
    loss = neg_iw_bound = -L_K(x)                    (objective="iwae")

    Args:
        encoder: Keras model, data (batch, *event) to features (batch, ...).
        decoder: Keras model, z (batch, latent_dim) to raw likelihood
            parameters (batch, *params_shape): logits, not probabilities.
        latent_dim: int >= 1, number of latent units.
        likelihood: `Likelihood` or its name.
        prior: `Prior` or its name.
        posterior: `Posterior` or its name.
        beta: float or Keras LearningRateSchedule, weight of the KL.
        num_samples: int >= 1, samples of z for each example (K).
        objective: "elbo" or "iwae". With the latter the terms of the ELBO
            are logged with weight 0, and beta must be 1.
        **kwargs: `seed`, `name`, `dtype`.

    Call arguments:
        x: float tensor (batch, *event).

    Input shape:
        (batch, *event)

    Output shape:
        (batch, *event), the mean of p(x | z) at the mean of q(z | x)

    Raises:
        ValueError: if an argument is out of range, or the networks do not fit
            each other, `latent_dim` or the likelihood.

    Example:
    >>> encoder = keras_vae.networks.mlp_encoder((8, 8, 1), units=(32,))
    >>> decoder = keras_vae.networks.mlp_decoder(4, (8, 8, 1), units=(32,))
    >>> model = keras_vae.VAE(encoder, decoder, latent_dim=4)
    >>> model.encode(np.zeros((5, 8, 8, 1), "float32")).shape
    TensorShape([5, 4])

    Reference:
        Kingma, Welling, 2014, equation 10; Burda, Grosse, Salakhutdinov,
        2016, equation 8.
    """

    config_attributes = {"posterior": "posterior_layer"}

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        latent_dim: int,
        likelihood: Likelihood | str = "bernoulli",
        prior: Prior | str = "standard_normal",
        posterior: Posterior | str = "diagonal_normal",
        beta: Weight = 1.0,
        num_samples: int = 1,
        objective: str = "elbo",
        **kwargs: Any,
    ) -> None:
        if objective not in ("elbo", "iwae"):
            raise ValueError(
                "`objective` must be 'elbo' or 'iwae'. "
                f"Received: objective={objective!r}"
            )
        if objective == "iwae" and not (
            isinstance(beta, numbers.Real) and beta == 1.0
        ):
            raise ValueError(
                "The IWAE objective has no KL to weigh: `beta` must be 1. "
                f"Received: beta={beta!r}"
            )
        num_samples = positive_int("num_samples", num_samples)
        non_negative("beta", beta)
        super().__init__(encoder, decoder, likelihood, **kwargs)
        self.latent_dim = latent_dim
        self.prior = priors.get(prior)
        self.posterior_layer = posteriors.get(posterior, latent_dim)
        self.beta = beta
        self.num_samples = num_samples
        self.objective = objective
        architecture.check_networks(
            encoder, decoder, self.likelihood, (latent_dim,)
        )
        is_elbo = objective == "elbo"
        self.add_term(
            "reconstruction_loss", weight=1.0 if is_elbo else 0.0, elbo=True
        )
        self.add_term("kl_loss", weight=beta if is_elbo else 0.0, elbo=True)
        if not is_elbo:
            self.add_term("neg_iw_bound")

    def build_latent(self, features_shape: Shape) -> Shape:
        if not self.posterior_layer.built:
            self.posterior_layer.build(tuple(features_shape))
        latent_shape = (None, self.latent_dim)
        if not self.prior.built:
            self.prior.build(latent_shape, self._event_shape)
        return latent_shape

    def latent_shape(self) -> tuple[int, ...]:
        return (self.latent_dim,)

    # === Objective ===

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        terms, _, _ = self.terms_and_codes(x, y, training)
        return terms

    def terms_and_codes(
        self, x: Any, y: Any, training: bool
    ) -> tuple[dict[str, tf.Tensor], tfd.Distribution, tf.Tensor]:
        """Terms, the posterior, and z (num_samples, batch, latent_dim)."""
        target = x if y is None else y
        posterior = self._posterior(x, training)
        z = self.posterior_layer.sample(
            posterior, random.current_noise(), self.num_samples
        )
        params = self._decode_samples(z, training)
        log_prob = self.likelihood.log_prob(params, target, training)
        encode = self._encoder_at(training)
        terms = {
            "reconstruction_loss": -tf.reduce_mean(log_prob, axis=0),
            "kl_loss": self.prior.kl(posterior, z, encode),
        }
        if self.objective == "iwae":
            log_weights = log_prob - posterior.log_prob(z)
            log_weights += self.prior.distribution(encode).log_prob(z)
            bound = importance_weighted_bound(log_weights)
            terms["neg_iw_bound"] = -bound
        return terms, posterior, z

    def _posterior(self, x, training):
        features = self.encoder(x, training=training)
        return self.posterior_layer.distribution(features)

    def _encoder_at(self, training):
        return lambda inputs: self._posterior(inputs, training)

    def _decode_samples(self, z, training):
        """Raw parameters (K, batch, *params_shape) from z (K, batch, d)."""
        if z.shape[0] == 1:
            return self.decoder(z[0], training=training)[tf.newaxis]
        flat = tf.reshape(z, [-1, self.latent_dim])
        params = self.decoder(flat, training=training)
        leading = tf.shape(z)[:2]
        shape = tf.concat([leading, tf.shape(params)[1:]], axis=0)
        return tf.ensure_shape(
            tf.reshape(params, shape), [*z.shape[:2], *params.shape[1:]]
        )

    # === Distributions ===

    def posterior(self, x: TensorLike) -> tfd.Distribution:
        """q(z | x) as a tfd object, batch (batch,), event (latent_dim,)."""
        return self._posterior(self.ensure_built(x), training=False)

    def prior_distribution(self) -> tfd.Distribution:
        """p(z) as a tfd object, batch (), event (latent_dim,)."""
        self.build_if_known()
        return self.prior.distribution(self._encoder_at(False))

    def encode(self, x: TensorLike) -> tf.Tensor:
        return self.posterior(x).mean()

    # === Generation ===

    def sample(
        self, num: Scalar, seed: Seed | None = None, temperature: Scalar = 1.0
    ) -> tf.Tensor:
        """Means of p(x | z) for z drawn from the prior.

        Args:
            num: int or scalar int tensor.
            seed: None, int or integer tensor (2,); the same seed gives the
                same images, None fresh ones.
            temperature: float, scales deviations from the prior's means.

        Returns:
            float32 tensor (num, *event_shape).

        Raises:
            ValueError: if `num` is not positive or `temperature` negative.
        """
        self.build_if_known()
        num = sample_count("num", num)
        non_negative("temperature", temperature)
        z = self.prior.sample(
            num, random.as_seed(seed), temperature, self._encoder_at(False)
        )
        return self.decode(z)

    def interpolate(
        self, x_start: TensorLike, x_end: TensorLike, num: int = 10
    ) -> tf.Tensor:
        """Decoded points of the straight lines between codes.

        Args:
            x_start, x_end: arrays (batch, *event_shape).
            num: int >= 2, points on each line, ends included.

        Returns:
            float32 tensor (batch, num, *event_shape).

        Raises:
            ValueError: if `num` is below 2.
        """
        num = positive_int("num", num, at_least=2)
        z = latent_walks.straight_lines(
            self.encode(x_start), self.encode(x_end), num
        )
        return latent_walks.decode_grid(self.decode, z)

    def traverse(
        self,
        x: TensorLike,
        units: Sequence[int] | None = None,
        values: ArrayLike | None = None,
    ) -> tf.Tensor:
        """Decoded codes of one example, one unit moved at a time.

        Args:
            x: array (*event_shape,) or (1, *event_shape).
            units: indices of units; None: all.
            values: values that a unit takes; None: 7 from -3 to 3.

        Returns:
            float32 tensor (units, values, *event_shape).

        Raises:
            ValueError: if x is not one example, or has no such units.
        """
        self.build_if_known()
        x = latent_walks.one_example(x, self.event_shape)
        z = latent_walks.moved_units(self.encode(x)[0], units, values)
        return latent_walks.decode_grid(self.decode, z)

    # === Evaluation ===

    def elbo(
        self,
        x: Array,
        num_samples: int = 1,
        batch_size: int = 1000,
        seed: Seed = 0,
    ) -> Array:
        """Evidence lower bound of each example, from samples of z.

        Args:
            x: array (n, *event_shape).
            num_samples: int, samples of z to average the bound over.
            batch_size: int, examples at once.
            seed: int or pair of ints.

        Returns:
            float32 NumPy array (n,), nats.

        Raises:
            ValueError: if `num_samples` or `batch_size` is not positive, or x
                is empty or not in the support of a normalised p(x | z).
        """
        x = self.exact_data(x)

        def elbo(rows, index, num_samples, seed):
            noise = random.Noise(random.fold_in(seed, index), tf.shape(rows)[0])
            posterior = self._posterior(rows, False)
            z = self.posterior_layer.sample(posterior, noise, num_samples)
            log_prob = self.likelihood.log_prob(
                self._decode_samples(z, False), rows
            )
            kl = self.prior.kl(posterior, z, self._encoder_at(False))
            return tf.reduce_mean(log_prob, axis=0) - kl

        num_samples = positive_int("num_samples", num_samples)
        args = (tf.constant(num_samples), random.as_seed(seed))
        return self._batches.map("elbo", elbo, x, batch_size, args)

    def importance_sampler(self, x: tf.Tensor) -> Callable[..., tf.Tensor]:
        posterior = self._posterior(x, False)
        prior = self.prior.distribution(self._encoder_at(False))

        def draw(noise, num_samples):
            z = self.posterior_layer.sample(posterior, noise, num_samples)
            log_weights = self.likelihood.log_prob(
                self._decode_samples(z, False), x
            )
            return log_weights + prior.log_prob(z) - posterior.log_prob(z)

        return draw

    # === Export ===

    def export_signatures(self) -> dict[str, ExportSignature]:
        return super().export_signatures() | self.sampling_signatures()
