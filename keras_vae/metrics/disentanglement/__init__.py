"""Scores of how well each latent unit follows one factor of variation.

Each takes a representation, a function from images to codes, and data whose
factors are known. Codes that are needed more than once are computed once by
`encode_all`, whose result is a representation too.
"""

from keras_vae.metrics.disentanglement.beta_vae_score import beta_vae_score
from keras_vae.metrics.disentanglement.codes import EncodedImages
from keras_vae.metrics.disentanglement.codes import encode_all
from keras_vae.metrics.disentanglement.dci import DCI
from keras_vae.metrics.disentanglement.dci import dci
from keras_vae.metrics.disentanglement.factor_vae_score import factor_vae_score
from keras_vae.metrics.disentanglement.mig import mig
from keras_vae.metrics.disentanglement.mig import mutual_information
from keras_vae.metrics.disentanglement.mig import posterior_mig
from keras_vae.metrics.disentanglement.sap import sap

__all__ = [
    "DCI",
    "EncodedImages",
    "beta_vae_score",
    "dci",
    "encode_all",
    "factor_vae_score",
    "mig",
    "mutual_information",
    "posterior_mig",
    "sap",
]
