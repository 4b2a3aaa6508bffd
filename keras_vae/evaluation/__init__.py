"""What the codes of a trained model are worth."""

from keras_vae.evaluation.encode_in_batches import encode_in_batches
from keras_vae.evaluation.jacobian_statistics import JacobianStatistics
from keras_vae.evaluation.jacobian_statistics import jacobian_statistics
from keras_vae.evaluation.logistic_pca import LogisticPCA
from keras_vae.evaluation.logistic_regression import LogisticRegressionResult
from keras_vae.evaluation.logistic_regression import logistic_regression
from keras_vae.evaluation.nearest_neighbors import nearest_neighbors
from keras_vae.evaluation.pca import pca_reconstruction_error
from keras_vae.evaluation.pca import pca_reconstructions
from keras_vae.evaluation.pca import squared_error
from keras_vae.evaluation.probabilistic_pca import ProbabilisticPCA
from keras_vae.evaluation.sparsity_statistics import SparsityStatistics
from keras_vae.evaluation.sparsity_statistics import sparsity_statistics

__all__ = [
    "JacobianStatistics",
    "LogisticPCA",
    "LogisticRegressionResult",
    "ProbabilisticPCA",
    "SparsityStatistics",
    "encode_in_batches",
    "jacobian_statistics",
    "logistic_regression",
    "nearest_neighbors",
    "pca_reconstruction_error",
    "pca_reconstructions",
    "sparsity_statistics",
    "squared_error",
]
