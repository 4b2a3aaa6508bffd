import numpy as np
import pytest

from keras_vae import posteriors

CLASSES = (posteriors.DiagonalNormal, posteriors.FullCovarianceNormal)


@pytest.mark.parametrize(
    "name, cls",
    [("diagonal_normal", CLASSES[0]), ("full_covariance_normal", CLASSES[1])],
)
def test_get_by_name(name, cls):
    posterior = posteriors.get(name, 3)
    assert isinstance(posterior, cls)
    assert posterior.latent_dim == 3
    assert posteriors.get(posterior, 3) is posterior


def test_get_refuses_other_names_and_sizes():
    with pytest.raises(ValueError, match="Received: posterior='laplace'"):
        posteriors.get("laplace", 3)
    with pytest.raises(ValueError, match=r"latent_dim=2, latent_dim=3"):
        posteriors.get(posteriors.DiagonalNormal(2), 3)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("latent_dim", [0, -1, 2.0, "2", None])
def test_latent_dim(cls, latent_dim):
    with pytest.raises(ValueError, match="Received: latent_dim="):
        cls(latent_dim)


@pytest.mark.parametrize("cls", CLASSES)
def test_features_of_higher_rank_are_flattened(cls):
    features = np.random.default_rng(0).normal(size=(4, 2, 3, 5))
    posterior = cls(2)
    params = posterior(features)
    assert params.shape == (4, posterior.params_size)
    np.testing.assert_allclose(
        params, posterior(features.reshape(4, -1)), rtol=1e-5, atol=1e-6
    )
    assert posterior.compute_output_shape(features.shape) == params.shape


@pytest.mark.parametrize("cls", CLASSES)
def test_computes_in_float32_under_any_policy(cls):
    posterior = cls(2)
    half = np.ones((4, 3), "float16")
    assert posterior(half).dtype == "float32"
    assert posterior.distribution(half).mean().dtype == "float32"
