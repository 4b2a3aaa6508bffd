"""Pure functions: float32, one value per example, in nats."""

from keras_vae.losses.importance import importance_weighted_bound
from keras_vae.losses.importance import log_mean_exp
from keras_vae.losses.reductions import sum_event

__all__ = ["importance_weighted_bound", "log_mean_exp", "sum_event"]
