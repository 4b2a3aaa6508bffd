"""Five levels of latent variables, inferred from below and from above."""

import keras
import tensorflow as tf

from benchmarks.subjects import by_hand
from benchmarks.subjects.subject import Subject
from keras_vae import networks
from recipes import hierarchical_vae_sonderby2016
from recipes import ladder_vae_sonderby2016
from recipes import levels


class HierarchicalVAE(Subject):
    """Batch normalisation and warm-up, as in the recipe."""

    recipe = hierarchical_vae_sonderby2016
    defaults = recipe.Config(**levels.PRESETS["mnist"])
    ladder = False
    examples = 12_800

    def model(self):
        return self.recipe.build(self.sizes, self.data())

    def objective(self):
        arguments = levels.network_arguments(
            self.sizes, self.data(), batch_norm=True
        )
        parts = networks.mlp_hierarchy(**arguments, ladder=self.ladder)
        return (Ladder if self.ladder else Chain)(self, *parts)


class LadderVAE(HierarchicalVAE):
    """The same, inferred from above."""

    recipe = ladder_vae_sonderby2016
    defaults = recipe.Config(**levels.PRESETS["mnist"])
    ladder = True


class _Levels(by_hand.Objective):
    """Networks and heads of all levels; the ELBO of what was drawn."""

    def __init__(self, subject, encoders, generators, decoder):
        super().__init__(subject)
        sizes = subject.sizes
        steps = subject.data().steps_per_epoch
        self._rise = float(round(sizes.warm_up * sizes.epochs * steps))
        self._encoders, self._generators = encoders, generators
        self._decoder = decoder
        self._q = [_head(*p) for p in zip(encoders, sizes.latent_dims)]
        self._p = [_head(*p) for p in zip(generators, sizes.latent_dims)]
        self.variables = by_hand.trainable(*encoders, *generators, decoder)
        for head in [*self._q, *self._p]:
            self.variables += by_hand.trainable(*head)
        self._kl_names = [
            f"kl_loss_{level}" for level in range(1, len(encoders) + 1)
        ]
        self.names = (
            "loss",
            "neg_elbo",
            "reconstruction_loss",
            *self._kl_names,
        )

    def losses(self, x):
        z, kls = self.infer(x)
        loss = by_hand.cross_entropy(self._decoder(z, training=True), x)
        kl = tf.add_n(kls)
        step = tf.cast(self.optimizer.iterations, "float32")
        beta = tf.minimum(step / self._rise, 1.0)
        return by_hand.minimise(
            loss + beta * kl,
            neg_elbo=loss + kl,
            reconstruction_loss=loss,
            **dict(zip(self._kl_names, kls, strict=True)),
        )

    def infer(self, x):
        """z_1 and the KL of each level, bottom first."""
        raise NotImplementedError

    def prior(self, level, above):
        """Mean and variance of z_level, given the level above."""
        features = self._generators[level](above, training=True)
        return _moments(self._p[level], features)


class Chain(_Levels):
    """q(z_1 | x) q(z_2 | z_1) .. q(z_L | z_{L-1})."""

    def infer(self, x):
        codes, posteriors = [x], []
        for encoder, head in zip(self._encoders, self._q, strict=True):
            posterior = _moments(head, encoder(codes[-1], training=True))
            codes.append(_draw(*posterior))
            posteriors.append(posterior)
        codes = codes[1:]
        kls = []
        for level, above in enumerate(codes[1:]):
            z, prior = codes[level], self.prior(level, above)
            kls.append(_log_ratio(z, posteriors[level], prior))
        kls.append(_kl(posteriors[-1]))
        return codes[0], kls


class Ladder(_Levels):
    """q(z_L | x), then each level merged with p(z_l | z_{l+1})."""

    def infer(self, x):
        upward = []
        for encoder, head in zip(self._encoders, self._q, strict=True):
            x = encoder(x, training=True)
            upward.append(_moments(head, x))
        z = _draw(*upward[-1])
        kls = [_kl(upward[-1])]
        for level in reversed(range(len(upward) - 1)):
            prior = self.prior(level, z)
            posterior = _merged(upward[level], prior)
            z = _draw(*posterior)
            kls.insert(0, _kl(posterior, prior))
        return z, kls


def _head(network, latent_dim):
    width = network.output_shape[-1]
    options = {"dtype": "float32"}
    layer = by_hand.dense(width, 2 * latent_dim, use_bias=False, **options)
    norm = keras.layers.BatchNormalization(momentum=0.98, **options)
    norm.build((None, 2 * latent_dim))
    return layer, norm


def _moments(head, features):
    """Mean and variance."""
    layer, norm = head
    params = norm(layer(features), training=True)
    mean, raw = tf.split(params, 2, axis=-1)
    return mean, tf.nn.softplus(raw) + 1e-4


def _draw(mean, variance):
    return mean + tf.sqrt(variance) * tf.random.normal(tf.shape(mean))


def _merged(one, other):
    mean, variance = one
    other_mean, other_variance = other
    precision = 1.0 / variance + 1.0 / other_variance
    mean = mean / variance + other_mean / other_variance
    return mean / precision, 1.0 / precision


def _kl(q, p=(0.0, 1.0)):
    (mean, variance), (other_mean, other_variance) = q, p
    ratio = variance / other_variance
    error = tf.square(mean - other_mean) / other_variance
    kl = ratio + error - 1.0 - tf.math.log(ratio)
    return 0.5 * tf.reduce_sum(kl, axis=-1)


def _log_ratio(z, q, p):
    """log q(z) - log p(z)."""
    (mean, variance), (other_mean, other_variance) = q, p
    ratio = tf.square(z - other_mean) / other_variance
    ratio -= tf.square(z - mean) / variance
    ratio += tf.math.log(other_variance / variance)
    return 0.5 * tf.reduce_sum(ratio, axis=-1)
