"""What the codes of a trained model are worth."""

from keras_vae.evaluation.encode_in_batches import encode_in_batches
from keras_vae.evaluation.nearest_neighbors import nearest_neighbors
from keras_vae.evaluation.probabilistic_pca import ProbabilisticPCA

__all__ = ["ProbabilisticPCA", "encode_in_batches", "nearest_neighbors"]
