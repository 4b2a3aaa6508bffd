"""q(z | x): features to a distribution over z."""

from keras_vae.posteriors.diagonal_normal import DiagonalNormal
from keras_vae.posteriors.full_covariance_normal import FullCovarianceNormal
from keras_vae.posteriors.posterior import Posterior
from keras_vae.registry import lookup

__all__ = ["DiagonalNormal", "FullCovarianceNormal", "Posterior", "get"]

_BY_NAME = {
    "diagonal_normal": DiagonalNormal,
    "full_covariance_normal": FullCovarianceNormal,
}


def get(posterior: Posterior | str, latent_dim: int) -> Posterior:
    """A `Posterior` over `latent_dim` units from its name, or the one given."""
    found: Posterior = lookup(
        posterior, Posterior, _BY_NAME, "posterior", latent_dim=latent_dim
    )
    if found.latent_dim != latent_dim:
        raise ValueError(
            "`posterior` must be over `latent_dim` units. Received: "
            f"posterior.latent_dim={found.latent_dim}, "
            f"latent_dim={latent_dim}"
        )
    return found
