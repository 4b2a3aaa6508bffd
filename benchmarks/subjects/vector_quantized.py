"""VQ-VAEs whose codebooks are moving averages, of one level and of two."""

import math

import tensorflow as tf

from benchmarks.subjects import by_hand
from benchmarks.subjects.subject import Subject
from keras_vae import metrics
from keras_vae import networks
from recipes import codes
from recipes import vq_vae2_razavi2019
from recipes import vq_vae_oord2017

DECAY, EPSILON, DEAD = 0.99, 1e-5, 0.03


class VQVAE(Subject):
    """Residual networks, 7x7 codes of 128."""

    defaults = vq_vae_oord2017.Config(**vq_vae_oord2017.PRESETS["mnist"])
    examples = 2560

    def model(self):
        return vq_vae_oord2017.build(self.sizes, self._sample())

    def objective(self):
        return VQObjective(self, self._sample())

    def _sample(self):
        """Images whose mean and deviation the networks begin with."""
        return self.arrays(1000).as_float32()


class VQVAE2(VQVAE):
    """8x8 and 4x4 codes of 32x32 images in colour."""

    defaults = vq_vae2_razavi2019.Config(
        **vq_vae2_razavi2019.PRESETS["cifar10"]
    )
    event_shape = (32, 32, 3)
    examples = 640

    def model(self):
        sizes = self.sizes
        return vq_vae2_razavi2019.build(
            sizes,
            self._sample(),
            sizes.levels,
            sizes.filters,
            sizes.num_embeddings,
        )

    def objective(self):
        return VQ2Objective(self, self._sample())


class _Quantized(by_hand.Objective):
    """The ELBO's terms of codes and pixels.

    Args:
        subject: `Subject`.
        sample: `datasets.Arrays`.
        shapes: positions of each level's codes, bottom first.
    """

    def __init__(self, subject, sample, shapes):
        super().__init__(subject)
        sizes = subject.sizes
        suffixes = [f"_{n}" for n in range(1, len(shapes) + 1)]
        if len(shapes) == 1:
            suffixes = [""]
        self._std = codes.training_std(sample)
        bottom = (*shapes[0], sizes.embedding_dim)
        self._weight = sizes.commitment * math.prod(subject.event_shape)
        self._weight /= 2 * math.prod(bottom)
        self.codebooks = [
            Codebook(sizes.num_embeddings, sizes.embedding_dim, suffix)
            for suffix in suffixes
        ]
        self.metrics = [codebook.usage for codebook in self.codebooks]
        self._lengths = {
            f"kl_loss{suffix}": math.prod(shape)
            * math.log(sizes.num_embeddings)
            for suffix, shape in zip(suffixes, shapes, strict=True)
        }
        self._commitments = [f"commitment_loss{suffix}" for suffix in suffixes]
        self.names = (
            "loss",
            "neg_elbo",
            "reconstruction_loss",
            *self._lengths,
            *self._commitments,
        )

    def finish(self, params, x, commitments):
        """What `losses` returns."""
        loss = by_hand.normal_nats(params, x, self._std)
        return by_hand.minimise(
            loss + self._weight * tf.add_n(commitments),
            neg_elbo=loss + sum(self._lengths.values()),
            reconstruction_loss=loss,
            **self._lengths,
            **dict(zip(self._commitments, commitments, strict=True)),
        )


class VQObjective(_Quantized):
    def __init__(self, subject, sample):
        sizes, shape = subject.sizes, subject.event_shape
        mean = codes.channel_means(sample)
        self._encoder = networks.residual_encoder(
            shape,
            sizes.embedding_dim,
            sizes.filters,
            sizes.filters // 4,
            sizes.residual_layers,
            sizes.downsamplings,
            input_mean=mean,
        )
        latent = self._encoder.output_shape[1:]
        self._decoder = networks.residual_decoder(
            latent,
            shape,
            sizes.filters,
            sizes.filters // 4,
            sizes.residual_layers,
            sizes.downsamplings,
            output_bias=mean,
        )
        super().__init__(subject, sample, [latent[:-1]])
        self.variables = by_hand.trainable(self._encoder, self._decoder)

    def losses(self, x):
        z, commitment = self.codebooks[0](self._encoder(x, training=True))
        params = self._decoder(z, training=True)
        return self.finish(params, x, [commitment])


class VQ2Objective(_Quantized):
    def __init__(self, subject, sample):
        sizes = subject.sizes
        mean = codes.channel_means(sample)
        self._encoders, self._upsamplers, self._decoder = (
            networks.vq_vae2_networks(
                subject.event_shape,
                sizes.levels,
                sizes.embedding_dim,
                sizes.filters,
                sizes.filters // 4,
                sizes.residual_layers,
                sizes.first_downsamplings,
                input_mean=mean,
                output_bias=mean,
            )
        )
        shapes = [encoder.output_shape[1:] for encoder in self._encoders]
        super().__init__(subject, sample, [shape[:-1] for shape in shapes])
        low, high = (shape[-1] for shape in shapes)
        low += self._upsamplers[0].output_shape[-1]
        self._projections = [
            by_hand.dense(width, sizes.embedding_dim) for width in (low, high)
        ]
        self.variables = by_hand.trainable(
            *self._encoders,
            *self._upsamplers,
            self._decoder,
            *self._projections,
        )

    def losses(self, x):
        low = self._encoders[0](x, training=True)
        high = self._encoders[1](low, training=True)
        top, commitment_2 = self.codebooks[1](self._projections[1](high))
        above = self._upsamplers[0](top, training=True)
        z = self._projections[0](tf.concat([low, above], axis=-1))
        bottom, commitment_1 = self.codebooks[0](z)
        params = self._decoder([bottom, top], training=True)
        return self.finish(params, x, [commitment_1, commitment_2])


class Codebook:
    """Codes begin as vectors of a batch, move with averages, never die.

    Args:
        num: int, codes.
        dim: int.
        suffix: str, of the names in the logs.
    """

    def __init__(self, num, dim, suffix):
        self._num, self._dim = num, dim
        self._codes = tf.Variable(tf.zeros([num, dim]))
        self._sums = tf.Variable(tf.zeros([num, dim]))
        self._counts = tf.Variable(tf.zeros([num]))
        self._weight = tf.Variable(0.0)
        self.usage = metrics.CodebookUsage(num, suffix, name=f"usage{suffix}")

    def __call__(self, z):
        """z_q, straight-through, and the commitment loss (batch,)."""
        dtype, shape = z.dtype, tf.shape(z)
        z = tf.cast(z, "float32")
        flat = tf.reshape(z, [-1, self._dim])
        spare = self._vectors_of(tf.stop_gradient(flat))
        known = tf.where(self._weight == 0.0, spare, self._codes)
        norms = tf.reduce_sum(tf.square(known), axis=-1)
        scores = norms - 2.0 * tf.matmul(flat, known, transpose_b=True)
        indices = tf.argmin(tf.stop_gradient(scores), -1, "int32")
        chosen = tf.reshape(tf.gather(known, indices), shape)
        self._move(tf.stop_gradient(flat), indices, known, spare)
        chosen = tf.stop_gradient(chosen)
        commitment = by_hand.sum_event(tf.square(z - chosen))
        z_q = z + tf.stop_gradient(chosen - z)
        z_q = tf.ensure_shape(z_q, [None] * (z.shape.rank - 1) + [self._dim])
        return tf.cast(z_q, dtype), commitment

    def _vectors_of(self, flat):
        """As many vectors of the batch as there are codes."""
        rows = tf.shape(flat)[0]
        place = tf.range(self._num, dtype="float32")
        place = (place + tf.random.uniform([self._num])) / self._num
        place = tf.math.floormod(place + tf.random.uniform([1]), 1.0)
        index = tf.cast(place * tf.cast(rows, "float32"), "int32")
        return tf.gather(flat, tf.minimum(index, rows - 1))

    def _move(self, flat, indices, known, spare):
        num = self._num
        counts = tf.math.unsorted_segment_sum(
            tf.ones_like(indices, "float32"), indices, num
        )
        sums = tf.math.unsorted_segment_sum(flat, indices, num)
        self.usage.counts.assign_add(counts)
        weight = DECAY * self._weight + (1.0 - DECAY)
        counts = DECAY * self._counts + (1.0 - DECAY) * counts
        sums = DECAY * self._sums + (1.0 - DECAY) * sums
        used = counts / weight
        new = sums / weight + EPSILON * known
        new /= used[:, tf.newaxis] + EPSILON
        mean = tf.reduce_sum(used) / num
        dead = used < DEAD * mean
        mass = 2.0 * DEAD * mean * weight
        column = dead[:, tf.newaxis]
        self._weight.assign(weight)
        self._counts.assign(tf.where(dead, mass, counts))
        self._sums.assign(tf.where(column, mass * spare, sums))
        self._codes.assign(tf.where(column, spare, new))
