"""p(x | z): raw decoder output to a distribution over x."""

from keras_vae.likelihoods.bernoulli import Bernoulli
from keras_vae.likelihoods.categorical import Categorical
from keras_vae.likelihoods.continuous_bernoulli import ContinuousBernoulli
from keras_vae.likelihoods.discretized_logistic_mixture import (
    DiscretizedLogisticMixture,
)
from keras_vae.likelihoods.likelihood import Likelihood
from keras_vae.likelihoods.normal import Normal
from keras_vae.likelihoods.squared_error import SquaredError
from keras_vae.registry import lookup

__all__ = [
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "DiscretizedLogisticMixture",
    "Likelihood",
    "Normal",
    "SquaredError",
    "get",
]

_BY_NAME = {
    "squared_error": SquaredError,
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "normal": Normal,
    "discretized_logistic_mixture": DiscretizedLogisticMixture,
    "categorical": Categorical,
}


def get(likelihood: Likelihood | str) -> Likelihood:
    """A `Likelihood` from its name, or the one given."""
    return lookup(likelihood, Likelihood, _BY_NAME, "likelihood")
