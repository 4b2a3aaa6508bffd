"""Autoencoders without a distribution over codes."""

import math

import keras
import tensorflow as tf

from benchmarks.subjects import by_hand
from benchmarks.subjects.subject import Subject
from keras_vae import networks
from recipes import ae_hinton2006
from recipes import contractive_ae_rifai2011
from recipes import dae_vincent2010
from recipes import k_sparse_ae_makhzani2014
from recipes import sparse_ae_ng2011


class Autoencoder(Subject):
    """784-1000-500-250-30 and back, squared error of a sigmoid."""

    defaults = ae_hinton2006.Config(
        **{**ae_hinton2006.PRESETS["mnist"], "input_noise": 0.0}
    )
    examples = 25_600

    def model(self):
        return ae_hinton2006.build(self.sizes, self.data())

    def objective(self):
        return AutoencoderObjective(self)


class AutoencoderObjective(by_hand.Objective):
    names = ("loss", "reconstruction_loss")

    def __init__(self, subject):
        super().__init__(subject)
        sizes, shape = subject.sizes, subject.event_shape
        self._encoder = networks.mlp_encoder(
            shape, sizes.units, sizes.activation
        )
        self._code = by_hand.dense(sizes.units[-1], sizes.code_dim)
        self._decoder = networks.mlp_decoder(
            sizes.code_dim, shape, sizes.units[::-1], sizes.activation
        )
        self.variables = by_hand.trainable(
            self._encoder, self._code, self._decoder
        )

    def losses(self, x):
        z = self._code(self._encoder(x, training=True))
        pixels = tf.sigmoid(self._decoder(z, training=True))
        error = tf.cast(pixels, "float32") - x
        loss = by_hand.sum_event(tf.square(error))
        return by_hand.minimise(loss, reconstruction_loss=loss)


class _Tied(by_hand.Objective):
    """One kernel, in both directions.

    Its networks compute in half precision where the policy says so.
    """

    names = ("loss", "reconstruction_loss")

    def __init__(self, subject):
        super().__init__(subject)
        pixels = math.prod(subject.event_shape)
        self._layer = by_hand.dense(pixels, self._units(subject))
        self._bias = keras.Variable(tf.zeros([pixels]), name="bias")
        self.variables = [*self._layer.trainable_variables, self._bias]

    def _units(self, subject):
        return subject.sizes.units

    def _decoded(self, z):
        kernel = tf.cast(self._layer.kernel, z.dtype)
        y = tf.matmul(z, kernel, transpose_b=True)
        return tf.cast(y + tf.cast(self._bias, z.dtype), "float32")


class DenoisingAutoencoder(Subject):
    """784-1000-784, tied, masking noise, cross-entropy."""

    defaults = dae_vincent2010.Config(**dae_vincent2010.PRESETS["mnist"])

    def model(self):
        return dae_vincent2010.build(self.sizes, self.event_shape)[0]

    def objective(self):
        return DenoisingObjective(self)


class DenoisingObjective(_Tied):
    def __init__(self, subject):
        super().__init__(subject)
        (self._rate,) = subject.sizes.noise_levels

    def _units(self, subject):
        return subject.sizes.units[0]

    def losses(self, x):
        flat = tf.reshape(x, [-1, self._layer.kernel.shape[0]])
        mask = tf.random.uniform(tf.shape(flat)) < self._rate
        z = tf.sigmoid(self._layer(tf.where(mask, 0.0, flat)))
        loss = by_hand.cross_entropy(self._decoded(z), flat)
        return by_hand.minimise(loss, reconstruction_loss=loss)


class ContractiveAutoencoder(Subject):
    """784-1000-784, tied, the penalty in closed form."""

    defaults = contractive_ae_rifai2011.Config(
        **contractive_ae_rifai2011.PRESETS["mnist"]
    )

    def model(self):
        return contractive_ae_rifai2011.build(
            self.sizes, self.data(), "contractive"
        )

    def objective(self):
        return ContractiveObjective(self)


class ContractiveObjective(_Tied):
    names = (*_Tied.names, "contractive_loss")

    def __init__(self, subject):
        super().__init__(subject)
        self._weight = subject.sizes.weight

    def losses(self, x):
        flat = tf.reshape(x, [-1, self._layer.kernel.shape[0]])
        z = tf.sigmoid(self._layer(flat))
        loss = by_hand.cross_entropy(self._decoded(z), flat)
        # As the model's: in half precision a saturated unit has no slope.
        if z.dtype == "float32":
            slopes = z
        else:
            logits = tf.matmul(flat, self._layer.kernel)
            slopes = tf.sigmoid(logits + self._layer.bias)
        slopes = tf.square(slopes * (1.0 - slopes))
        columns = tf.reduce_sum(tf.square(self._layer.kernel), axis=0)
        penalty = tf.linalg.matvec(slopes, columns)
        return by_hand.minimise(
            loss + self._weight * penalty,
            reconstruction_loss=loss,
            contractive_loss=penalty,
        )


class KSparseAutoencoder(Subject):
    """784-1000-784, tied, the 25 largest units of a linear code."""

    defaults = k_sparse_ae_makhzani2014.Config(
        **{**k_sparse_ae_makhzani2014.PRESETS["mnist"], "k": (25,)}
    )

    def model(self):
        (k,) = self.sizes.k
        return k_sparse_ae_makhzani2014.build(self.sizes, self.data(), k)

    def objective(self):
        return KSparseObjective(self)


class KSparseObjective(_Tied):
    def __init__(self, subject):
        super().__init__(subject)
        (self._k,) = subject.sizes.k
        self._mean = subject.data().mean.ravel().astype("float32")

    def losses(self, x):
        flat = tf.reshape(x, [-1, self._layer.kernel.shape[0]])
        z = self._layer(flat - self._mean)
        # By place, not by value: half precision has many equal ones.
        largest, column = tf.math.top_k(z, self._k, sorted=False)
        row = tf.broadcast_to(
            tf.range(tf.shape(z)[0])[:, tf.newaxis], tf.shape(column)
        )
        place = tf.stack([row, column], axis=-1)
        z = tf.scatter_nd(place, largest, tf.shape(z))
        loss = by_hand.sum_event(tf.square(self._decoded(z) - flat))
        return by_hand.minimise(loss, reconstruction_loss=loss)


class SparseAutoencoder(Subject):
    """784-196-784, sigmoids, KL of mean activations, weight decay."""

    defaults = sparse_ae_ng2011.Config(**sparse_ae_ng2011.PRESETS["mnist"])

    def model(self):
        return sparse_ae_ng2011.build(self.sizes, self.event_shape)

    def objective(self):
        return SparseObjective(self)


class SparseObjective(by_hand.Objective):
    names = (
        "loss",
        "reconstruction_loss",
        "sparsity_loss",
        "regularization_loss",
    )

    def __init__(self, subject):
        super().__init__(subject)
        sizes, pixels = subject.sizes, math.prod(subject.event_shape)
        self._sizes = sizes
        self._encoder = by_hand.dense(pixels, sizes.units, "sigmoid")
        self._decoder = by_hand.dense(sizes.units, pixels, "sigmoid")
        self.variables = by_hand.trainable(self._encoder, self._decoder)

    def losses(self, x):
        sizes = self._sizes
        flat = tf.reshape(x, [-1, self._encoder.kernel.shape[0]])
        z = self._encoder(flat)
        loss = by_hand.normal_nats(self._decoder(z), flat, 1.0)
        # Off 0 and 1, as the library's.
        active = tf.reduce_mean(tf.cast(z, "float32"), axis=0)
        active = 1e-6 + (1.0 - 2e-6) * active
        entropy = sizes.rho * math.log(sizes.rho)
        entropy += (1.0 - sizes.rho) * math.log(1.0 - sizes.rho)
        cross = sizes.rho * tf.math.log(active)
        cross += (1.0 - sizes.rho) * tf.math.log(1.0 - active)
        sparsity = tf.reduce_sum(entropy - cross)
        kernels = (self._encoder.kernel, self._decoder.kernel)
        squares = [tf.reduce_sum(tf.square(kernel)) for kernel in kernels]
        decay = 0.5 * sizes.weight_decay * tf.add_n(squares)
        return by_hand.minimise(
            loss + sizes.beta * sparsity + decay,
            reconstruction_loss=loss,
            sparsity_loss=sparsity,
            regularization_loss=decay,
        )
