"""p(z): distributions over z that a VAE measures its posterior against."""

from keras_vae.priors.mixture_prior import MixturePrior
from keras_vae.priors.prior import Prior
from keras_vae.priors.standard_normal import StandardNormal
from keras_vae.priors.vamp_prior import VampPrior
from keras_vae.registry import lookup

__all__ = ["MixturePrior", "Prior", "StandardNormal", "VampPrior", "get"]

_BY_NAME = {"standard_normal": StandardNormal}


def get(prior: Prior | str) -> Prior:
    """A `Prior` from its name, or the one given."""
    return lookup(prior, Prior, _BY_NAME, "prior")
