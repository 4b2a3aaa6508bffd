import numbers
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import Self

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike
from tensorflow_probability import distributions as tfd

from keras_vae import random
from keras_vae.arguments import non_negative
from keras_vae.arguments import positive_int
from keras_vae.arguments import sample_count
from keras_vae.layers.normal_head import NormalHead
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.losses import log_mean_exp
from keras_vae.models import architecture
from keras_vae.models import latent_walks
from keras_vae.models import markov_chain
from keras_vae.models import specs
from keras_vae.models.importance_weighted import ImportanceWeighted
from keras_vae.models.likelihood_model import LikelihoodModel
from keras_vae.models.markov_chain import Level
from keras_vae.models.sample_axis import by_sample
from keras_vae.random import Noise
from keras_vae.random import spawn_seeds
from keras_vae.typing import Array
from keras_vae.typing import ExportSignature
from keras_vae.typing import Network
from keras_vae.typing import Scalar
from keras_vae.typing import Seed
from keras_vae.typing import Shape
from keras_vae.typing import TensorLike
from keras_vae.typing import Weight


@keras.saving.register_keras_serializable(package="keras_vae")
class Hierarchy(ImportanceWeighted, LikelihoodModel):
    """Base of the models whose latent variables are a chain z_1..z_L.

    p(x, z_1..L) = p(x | z_1) p(z_1 | z_2) .. p(z_{L-1} | z_L) N(z_L; 0, I)

    Level 1 is nearest the data; lists are bottom first. All conditionals are
    normal: a network gives features, and a `keras_vae.layers.NormalHead` of
    the model makes mean and variance of them. A network with two outputs
    gives mean and variance itself.

    A subclass must override `upward`, `infer` and `next_input_shape`.

    Args:
        encoders: list of L Keras models of the inference, bottom first.
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
    """

    #: Groups of heads; the seed of the model gives each a seed of its own.
    head_groups: tuple[str, ...] = ("q", "p")

    def __init__(
        self,
        encoders: Sequence[Network],
        generators: Sequence[Network],
        decoder: Network,
        latent_dims: Sequence[int | Sequence[int]],
        likelihood: Likelihood | str = "bernoulli",
        beta: Weight = 1.0,
        num_samples: int = 1,
        num_importance_samples: int = 1,
        free_bits: float = 0.0,
        batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        num_levels = len(latent_dims)
        _check_lengths(num_levels, encoders, generators)
        _check_objective(beta, num_importance_samples, free_bits)
        super().__init__(likelihood, **kwargs)
        architecture.check_activation(decoder, self.likelihood)
        self.encoders = list(encoders)
        self.generators = list(generators)
        self.decoder = decoder
        self.latent_dims = list(latent_dims)
        self.beta = beta
        self.num_samples = positive_int("num_samples", num_samples)
        self.num_importance_samples = positive_int(
            "num_importance_samples", num_importance_samples
        )
        self.free_bits = float(free_bits)
        self.batch_norm = batch_norm
        self.encoder_heads = self.make_heads("q", encoders)
        self.generator_heads = self.make_heads("p", generators)
        self._declare_terms(num_levels)

    def _declare_terms(self, num_levels):
        weighted = self.num_importance_samples > 1
        kl_weight = 0.0 if weighted or self.free_bits else self.beta
        self.add_term("reconstruction_loss", 0.0 if weighted else 1.0, True)
        for level in range(1, num_levels + 1):
            self.add_term(f"kl_loss_{level}", kl_weight, elbo=True)
        if weighted:
            self.add_term("neg_iw_bound")
        elif self.free_bits:
            self.add_term("free_bits_loss", self.beta)

    def make_heads(
        self, name: str, networks: Sequence[Network]
    ) -> list[NormalHead | None]:
        """`NormalHead`s by level, None where the network is its own.

        Args:
            name: str, of `head_groups`, what the layers' names begin with.
            networks: list of Keras models, bottom first.
        """
        seeds = spawn_seeds(self.seed, len(self.head_groups))
        seed = seeds[self.head_groups.index(name)]
        seeds = spawn_seeds(seed, len(networks))
        return [
            None
            if len(getattr(network, "outputs", None) or [0]) == 2
            else NormalHead(
                latent_dim, self.batch_norm, seed=seed, name=f"{name}_{level}"
            )
            for level, (network, latent_dim, seed) in enumerate(
                zip(networks, self.latent_dims, seeds), 1
            )
        ]

    # === Shapes ===

    @property
    def num_levels(self) -> int:
        """L, the number of latent variables of the chain."""
        return len(self.latent_dims)

    def latent_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of one example's latent variables, bottom first."""
        return [
            (size,) if isinstance(size, int) else tuple(size)
            for size in self.latent_dims
        ]

    def known_event_shape(self) -> tuple[int, ...] | None:
        return architecture.event_shape(self.encoders[0])

    def next_input_shape(self, level: int, features_shape: Shape) -> Shape:
        """Shape of what `encoders[level + 1]` takes.

        Args:
            level: int, from 0.
            features_shape: output shape of `encoders[level]`.
        """
        raise NotImplementedError

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        shape = (None, *self.event_shape)
        for level, encoder in enumerate(self.encoders):
            features = self.build_conditional(
                f"encoders[{level}]",
                encoder,
                self.encoder_heads[level],
                shape,
                level,
            )
            if level + 1 < self.num_levels:
                shape = self.next_input_shape(level, features)
        latent_shapes = [(None, *shape) for shape in self.latent_shapes()]
        for level, generator in enumerate(self.generators):
            self.build_conditional(
                f"generators[{level}]",
                generator,
                self.generator_heads[level],
                latent_shapes[level + 1],
                level,
            )
        _check_input("decoder", self.decoder, latent_shapes[0])
        self.build_likelihood(
            architecture.build(self.decoder, latent_shapes[0])
        )

    def build_conditional(
        self,
        name: str,
        network: Network,
        head: NormalHead | None,
        shape: Shape,
        level: int,
    ) -> Shape:
        """Builds a network and its head; the shape of the features.

        Args:
            name: str, the argument that holds the network, for errors.
            network: Keras model.
            head: its `NormalHead`, or None: it gives mean and variance.
            shape: (None, ...), of what the network takes.
            level: int, from 0, whose latent shape the head has.
        """
        _check_input(name, network, shape)
        features = architecture.build(network, shape)
        if head is None:
            expected = (None, *self.latent_shapes()[level])
            if any(tuple(moment) != expected for moment in features):
                raise ValueError(
                    f"`{name}` must give mean and variance of shape "
                    f"{expected}. Received: outputs of shapes {features}"
                )
        elif not head.built:
            head.build(tuple(features))
        return features

    # === Inference ===

    def upward(self, x: tf.Tensor, training: bool = False) -> list[Any]:
        """What inference computes from x alone, before anything is drawn.

        Args:
            x: tensor (batch, *event_shape).
            training: bool.

        Returns:
            list of (mean, variance).
        """
        raise NotImplementedError

    def infer(
        self,
        moments: list[Any],
        noise: Noise | None,
        num_samples: Scalar = 1,
        training: bool = False,
    ) -> list[Level]:
        """Draws all latent variables from q.

        Args:
            moments: what `upward` gave.
            noise: `keras_vae.random.Noise`, or None: means are taken.
            num_samples: int or scalar tensor, of each example.
            training: bool.

        Returns:
            list of `markov_chain.Level`, bottom first, with
            num_samples * batch rows: all examples, then all again.
        """
        raise NotImplementedError

    def conditional(
        self,
        network: Network,
        head: NormalHead | None,
        inputs: tf.Tensor,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and variance that a network gives: (rows, *latent_shape) each.

        Args:
            network: Keras model.
            head: its `NormalHead`, or None.
            inputs: tensor (rows, ...).
            training: bool.
        """
        outputs = network(inputs, training=training)
        if head is None:
            mean, variance = outputs
            return tf.cast(mean, "float32"), tf.cast(variance, "float32")
        return head(outputs, training=training)

    def level_prior(
        self,
        level: int,
        above: tf.Tensor | None,
        like: tf.Tensor,
        training: bool = False,
    ) -> tfd.Distribution:
        """p(z_l | z_{l+1}) as a tfd object.

        Args:
            level: int, from 0.
            above: z_{l+1}, or None at the top.
            like: tensor of the shape of z_l.
            training: bool.
        """
        if level + 1 == self.num_levels:
            return markov_chain.normal(tf.zeros_like(like), tf.ones_like(like))
        return markov_chain.normal(
            *self.conditional(
                self.generators[level],
                self.generator_heads[level],
                above,
                training,
            )
        )

    # === Objective ===

    def compute_terms(
        self, x: Any, y: Any, training: bool
    ) -> dict[str, tf.Tensor]:
        target = x if y is None else y
        count = self.num_samples * self.num_importance_samples
        levels = self.infer(
            self.upward(x, training), random.current_noise(), count, training
        )
        log_prob = self._log_prob_of(levels, target, count, training)
        kls = [
            tf.reduce_mean(by_sample(kl, count), axis=0)
            for kl in markov_chain.level_kls(levels)
        ]
        terms = {"reconstruction_loss": -tf.reduce_mean(log_prob, axis=0)}
        for level, kl in enumerate(kls, 1):
            terms[f"kl_loss_{level}"] = kl
        if self.num_importance_samples > 1:
            log_weights = log_prob + by_sample(
                markov_chain.log_weight(levels), count
            )
            log_weights = by_sample(log_weights, self.num_samples)
            bounds = log_mean_exp(log_weights, axis=1)
            terms["neg_iw_bound"] = -tf.reduce_mean(bounds, axis=0)
        elif self.free_bits:
            terms["free_bits_loss"] = self._free_bits_loss(kls)
        return terms

    def _free_bits_loss(self, kls):
        totals = tf.stack([tf.reduce_sum(kl) for kl in kls])
        count = tf.cast(tf.size(kls[0]), "float32")
        totals, count = random.all_reduce_sum([totals, count])
        means = tf.math.divide_no_nan(totals, count)
        return tf.reduce_sum(tf.maximum(means, self.free_bits))

    def _log_prob_of(self, levels, target, num_samples, training=False):
        """log p(x | z_1), (num_samples, batch)."""
        params = self.decoder(levels[0].z, training=training)
        params = by_sample(params, num_samples)
        return self.likelihood.log_prob(params, target, training)

    # === Distributions ===

    def _mean_levels(self, x):
        return self.infer(self.upward(self.ensure_built(x)), None)

    def posterior(self, x: TensorLike) -> list[tfd.Distribution]:
        """q(z_l | parents at their means), bottom first: list of tfd."""
        return [level.posterior for level in self._mean_levels(x)]

    def output_distribution(self, z: TensorLike) -> tfd.Distribution:
        """p(x | z_1) as a tfd object, event (*event_shape,)."""
        return self.likelihood.distribution(self._decoded(z))

    def encode_levels(self, x: TensorLike) -> list[tf.Tensor]:
        """Posterior means, each level given the means of its parents.

        Args:
            x: tensor (batch, *event_shape).

        Returns:
            list of tensors (batch, *latent_shape), bottom first.
        """
        return [level.z for level in self._mean_levels(x)]

    def encode(self, x: TensorLike) -> tf.Tensor:
        """Posterior mean of z_1, of which `decode` makes data."""
        return self.encode_levels(x)[0]

    # === Generation ===

    def decode(
        self,
        z: TensorLike,
        level: int = 1,
        noise: Noise | None = None,
        temperature: Scalar = 1.0,
    ) -> tf.Tensor:
        """Mean of p(x | z_1): tensor (batch, *event_shape).

        Args:
            z: tensor (batch, *latent_shape) of a level.
            level: int, from 1; the levels below are drawn from p.
            noise: `keras_vae.random.Noise`, or None: the levels below are at
                their means.
            temperature: float, scales deviations from the means.
        """
        self._check_level(level)
        z = tf.cast(z, "float32")
        for below in reversed(range(level - 1)):
            prior = self.level_prior(below, z, None)
            z = markov_chain.draw(prior, noise, temperature)
        return self.likelihood.mean(self._decoded(z))

    def sample(
        self, num: Scalar, seed: Seed | None = None, temperature: Scalar = 1.0
    ) -> tf.Tensor:
        """Means of p(x | z_1) for a chain drawn from p.

        Args:
            num: int or scalar int tensor.
            seed: None, int or integer tensor (2,); the same seed gives the
                same images, None fresh ones.
            temperature: float, scales deviations from all means.

        Returns:
            float32 tensor (num, *event_shape).

        Raises:
            ValueError: if `num` is not positive or `temperature` negative.
        """
        self.build_if_known()
        num = sample_count("num", num)
        non_negative("temperature", temperature)
        noise = random.Noise(random.as_seed(seed))
        shape = [num, *self.latent_shapes()[-1]]
        z = temperature * noise.normal(shape)
        return self.decode(z, self.num_levels, noise, temperature)

    def resample(
        self, x: TensorLike, level: int, num: int, seed: Seed | None = None
    ) -> tf.Tensor:
        """Data like x: upper levels are kept, the others drawn from p.

        Args:
            x: tensor (batch, *event_shape).
            level: int, from 1: the topmost level that is drawn. The levels
                above are at their posterior means.
            num: int, draws of each example.
            seed: as in `sample`.

        Returns:
            float32 tensor (batch, num, *event_shape).
        """
        self._check_level(level)
        noise = random.Noise(random.as_seed(seed))
        codes = self.encode_levels(x)
        batch = codes[0].shape[0]
        above = tf.repeat(codes[min(level, self.num_levels - 1)], num, axis=0)
        like = tf.repeat(codes[level - 1], num, axis=0)
        prior = self.level_prior(level - 1, above, like)
        x = self.decode(markov_chain.draw(prior, noise), level, noise)
        return tf.reshape(x, [batch, num, *self.event_shape])

    def interpolate(
        self,
        x_start: TensorLike,
        x_end: TensorLike,
        num: int = 10,
        level: int = 1,
    ) -> tf.Tensor:
        """Decoded points of the straight lines between codes.

        Args:
            x_start, x_end: tensors (batch, *event_shape).
            num: int >= 2, points on each line, ends included.
            level: int, from 1, whose codes are interpolated; those below are
                at the means of p.

        Returns:
            float32 tensor (batch, num, *event_shape).
        """
        self._check_level(level)
        start, end = (
            self.encode_levels(x)[level - 1] for x in (x_start, x_end)
        )
        z = latent_walks.straight_lines(start, end, num)
        return latent_walks.decode_grid(lambda z: self.decode(z, level), z)

    def traverse(
        self,
        x: TensorLike,
        units: Sequence[int] | None = None,
        values: ArrayLike | None = None,
        level: int = 1,
    ) -> tf.Tensor:
        """Decoded codes of one example, one unit of a level moved at a time.

        Args:
            x: array (*event_shape,) or (1, *event_shape).
            units: indices of units, of the flattened level; None: all.
            values: values that a unit takes; None: 7 from -3 to 3.
            level: int, from 1; the levels below are at the means of p.

        Returns:
            float32 tensor (units, values, *event_shape).
        """
        self._check_level(level)
        x = tf.reshape(tf.cast(x, "float32"), [1, *self.event_shape])
        (code,) = self.encode_levels(x)[level - 1]
        z = latent_walks.moved_units(code, units, values)
        return latent_walks.decode_grid(lambda z: self.decode(z, level), z)

    def _check_level(self, level):
        if not 1 <= level <= self.num_levels:
            raise ValueError(
                f"`level` must be from 1 to {self.num_levels}. "
                f"Received: level={level}"
            )

    # === Evaluation ===

    def importance_sampler(self, x: tf.Tensor) -> Callable[..., tf.Tensor]:
        moments = self.upward(x)

        def draw(noise, num_samples):
            levels = self.infer(moments, noise, num_samples)
            log_prob = self._log_prob_of(levels, x, num_samples)
            return log_prob + by_sample(
                markov_chain.log_weight(levels), num_samples
            )

        return draw

    def elbo_levels(
        self,
        x: Array,
        num_samples: int = 1,
        batch_size: int = 1000,
        seed: Seed = 0,
        form: str = "kl",
    ) -> dict[str, Array]:
        """The terms of the bound of each example, level by level.

        -ELBO(x) = reconstruction_loss + sum_l kl_loss_l

        Args:
            x: array (n, *event_shape), in the support of the likelihood.
            num_samples: int >= 1, samples of the chain to average over.
            batch_size: int, examples at once.
            seed: int or pair of ints.
            form: "kl": closed forms where z_{l+1} is drawn before z_l, as in
                a ladder; "consistency": log-ratios log q(z_l | ...) -
                log p(z_l | z_{l+1}) at all levels below the top. Their
                expectations are equal.

        Returns:
            dict of name to float32 NumPy array (n,), nats.

        Raises:
            ValueError: if `form` is another, `num_samples` is not positive,
                or x is not in the support.
        """
        if form not in markov_chain.FORMS:
            raise ValueError(
                f"`form` must be one of {markov_chain.FORMS}. "
                f"Received: form={form!r}"
            )
        num_samples = positive_int("num_samples", num_samples)
        x = self.exact_data(x)

        def terms(rows, index, num_samples, seed):
            noise = random.Noise(random.fold_in(seed, index), tf.shape(rows)[0])
            levels = self.infer(self.upward(rows), noise, num_samples)
            losses = [-self._log_prob_of(levels, rows, num_samples)]
            losses += [
                by_sample(kl, num_samples)
                for kl in markov_chain.level_kls(levels, form)
            ]
            return tf.reduce_mean(tf.stack(losses, axis=-1), axis=0)

        args = (tf.constant(num_samples), random.as_seed(seed))
        values = self._batches.map(f"elbo_{form}", terms, x, batch_size, args)
        names = ["reconstruction_loss"]
        names += [f"kl_loss_{n}" for n in range(1, self.num_levels + 1)]
        return dict(zip(names, values.T))

    def elbo(
        self,
        x: Array,
        num_samples: int = 1,
        batch_size: int = 1000,
        seed: Seed = 0,
        form: str = "kl",
    ) -> Array:
        """Evidence lower bound of each example.

        Args:
            x, num_samples, batch_size, seed, form: see `elbo_levels`.

        Returns:
            float32 NumPy array (n,), nats.
        """
        levels = self.elbo_levels(x, num_samples, batch_size, seed, form)
        return np.negative(sum(levels.values()))

    def kl_per_unit(
        self,
        x: Array,
        num_samples: int = 1,
        batch_size: int = 1000,
        seed: Seed = 0,
    ) -> list[Array]:
        """KL that each unit adds to the bound, mean over examples.

        Args:
            x, num_samples, batch_size, seed: see `elbo_levels`.

        Returns:
            list of float64 NumPy arrays (*latent_shape,), bottom first, nats.
        """
        num_samples = positive_int("num_samples", num_samples)
        x = np.asarray(x, "float32")
        self.ensure_built(x[:1])

        def unit_kls(rows, index, num_samples, seed):
            noise = random.Noise(random.fold_in(seed, index), tf.shape(rows)[0])
            levels = self.infer(self.upward(rows), noise, num_samples)
            kls = []
            for level in levels:
                kl = by_sample(level.unit_kl(), num_samples)
                kl = tf.reduce_mean(kl, axis=0)
                kls.append(tf.reshape(kl, [-1, np.prod(kl.shape[1:])]))
            return tf.concat(kls, axis=-1)

        args = (tf.constant(num_samples), random.as_seed(seed))
        values = self._batches.map("unit_kl", unit_kls, x, batch_size, args)
        values = values.mean(axis=0, dtype="float64")
        shapes = self.latent_shapes()
        ends = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
        return [
            part.reshape(shape)
            for part, shape in zip(np.split(values, ends), shapes)
        ]

    # === Objectives of a trained model ===

    def with_arguments(self, **arguments: Any) -> Self:
        """A copy with other arguments and the same weights, not compiled.

        To go on training with more samples, say.

        Args:
            **arguments: of the constructor.
        """
        config = self.get_config()
        unknown = set(arguments) - set(config)
        if unknown:
            raise ValueError(
                f"`arguments` must be of {type(self).__name__}. "
                f"Received: {sorted(unknown)}"
            )
        arguments = {
            name: keras.saving.serialize_keras_object(value)
            for name, value in arguments.items()
        }
        model = type(self).from_config({**config, **arguments})
        if self.built:
            model.build((None, *self.event_shape))
            model.set_weights(self.get_weights())
        return model

    # === Export ===

    def export_signatures(self) -> dict[str, ExportSignature]:
        """Named functions for a SavedModel, see `keras_vae.export_model`.

        `z` is of level 1; `encode` also gives z_2 to z_L.

        Returns:
            dict of name to (function, list of `tf.TensorSpec`).
        """
        x = specs.floats("x", self.event_shape)
        z = specs.floats("z", self.latent_shapes()[0])

        def reconstruct(x):
            return {"reconstruction": self.reconstruct(x)}

        def encode(x):
            first, *others = self.encode_levels(x)
            named = {f"z_{n}": code for n, code in enumerate(others, 2)}
            return {"z": first, **named}

        def decode(z):
            return {"reconstruction": self.decode(z)}

        return {
            "serving_default": (reconstruct, [x]),
            "reconstruct": (reconstruct, [x]),
            "encode": (encode, [x]),
            "decode": (decode, [z]),
        } | self.sampling_signatures()


def _check_lengths(num_levels, encoders, generators):
    if num_levels < 1:
        raise ValueError(
            "`latent_dims` must hold a size for each level. "
            f"Received: {num_levels} sizes"
        )
    for name, networks, count in (
        ("encoders", encoders, num_levels),
        ("generators", generators, num_levels - 1),
    ):
        if len(networks) != count:
            raise ValueError(
                f"`{name}` must hold {count} models for {num_levels} levels "
                f"of `latent_dims`. Received: {len(networks)} models"
            )


def _check_objective(beta, num_importance_samples, free_bits):
    non_negative("beta", beta)
    if not (isinstance(free_bits, numbers.Real) and free_bits >= 0):
        raise ValueError(
            "`free_bits` must be a number that is not negative. "
            f"Received: free_bits={free_bits!r}"
        )
    plain = beta == 1.0 and free_bits == 0.0
    if num_importance_samples != 1 and not plain:
        raise ValueError(
            "An importance-weighted bound has no KL to weigh: with "
            "`num_importance_samples` > 1, `beta` must be 1 and `free_bits` "
            f"0. Received: beta={beta!r}, free_bits={free_bits}"
        )


def _check_input(name, network, shape):
    known = architecture.event_shape(network)
    if known is not None and tuple(known) != tuple(shape)[1:]:
        raise ValueError(
            f"`{name}` must take inputs of shape {tuple(shape)[1:]}: the "
            f"levels must chain. Received: a network for {tuple(known)}"
        )
