"""A model whose pictures are known."""

import numpy as np
import tensorflow_probability as tfp

tfd = tfp.distributions


class Stripes:
    """Two-unit codes; unit i is the grey value of column i of a 2 x 2 image.

    Unit 1 has the larger KL.
    """

    latent_dim = 2

    def encode(self, x):
        return np.mean(x, axis=(1, 3))

    def posterior(self, x):
        return tfd.MultivariateNormalDiag(
            self.encode(x), np.tile(np.float32([1.0, 0.1]), (len(x), 1))
        )

    def prior_distribution(self):
        return tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0])

    def decode(self, z):
        z = np.asarray(z)
        return np.repeat(z[:, None, :, None], 2, axis=1)

    def reconstruct(self, x):
        return self.decode(self.encode(x))

    def sample(self, num, seed=None, temperature=1.0):
        draws = np.random.default_rng(seed).random((num, 2), "float32")
        return self.decode(temperature * draws)


class Vectors(Stripes):
    """Its data are no images."""

    def decode(self, z):
        return np.asarray(z)


def pixels_of(figure):
    """The picture that a figure shows, before it is scaled."""
    (image,) = figure.axes[0].get_images()
    return np.asarray(image.get_array())
