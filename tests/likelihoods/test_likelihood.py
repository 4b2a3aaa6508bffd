import numpy as np
import pytest

from keras_vae import likelihoods


@pytest.mark.parametrize(
    "name",
    [
        "squared_error",
        "bernoulli",
        "continuous_bernoulli",
        "normal",
        "discretized_logistic_mixture",
        "categorical",
    ],
)
def test_get_by_name(name):
    likelihood = likelihoods.get(name)
    assert isinstance(likelihood, likelihoods.Likelihood)
    assert likelihoods.get(likelihood) is likelihood


def test_get_unknown():
    with pytest.raises(ValueError, match="'bernoulli'.*likelihood='poisson'"):
        likelihoods.get("poisson")
    with pytest.raises(ValueError, match="Received: likelihood=None"):
        likelihoods.get(None)


def test_needs_to_be_built():
    with pytest.raises(ValueError, match="Received: built=False"):
        likelihoods.Bernoulli().log_prob(np.zeros((1, 2)), np.zeros((1, 2)))


def test_computes_in_float32_under_any_policy():
    likelihood = likelihoods.Normal(scale=1.0)
    likelihood.build((None, 2))
    assert likelihood.dtype_policy.name == "float32"


def test_alone_it_gives_the_mean():
    likelihood = likelihoods.Bernoulli()
    assert likelihood(np.zeros((3, 2))).numpy() == pytest.approx(0.5)
