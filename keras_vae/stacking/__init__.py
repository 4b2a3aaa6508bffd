"""Autoencoders one upon another: trained level by level, used as one."""

from keras_vae.stacking.classifier import classifier
from keras_vae.stacking.pretrain import pretrain
from keras_vae.stacking.unroll import unroll

__all__ = ["classifier", "pretrain", "unroll"]
