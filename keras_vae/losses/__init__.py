"""Pure functions: float32, one value per example, in nats."""

from keras_vae.losses.importance import importance_weighted_bound
from keras_vae.losses.importance import log_mean_exp
from keras_vae.losses.jacobian import squared_jacobian_norm
from keras_vae.losses.reductions import sum_event
from keras_vae.losses.sparsity import bernoulli_kl_divergence

__all__ = [
    "bernoulli_kl_divergence",
    "importance_weighted_bound",
    "log_mean_exp",
    "squared_jacobian_norm",
    "sum_event",
]
