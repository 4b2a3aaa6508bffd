"""SavedModels for TensorFlow Serving and TensorFlow's C runtime.

From the command line: python -m keras_vae.serving inspect|verify|config DIR
"""

from keras_vae.serving.export_model import export_model
from keras_vae.serving.inspect_version import inspect
from keras_vae.serving.models_config import models_config
from keras_vae.serving.signature import Signature
from keras_vae.serving.verify import verify

__all__ = ["Signature", "export_model", "inspect", "models_config", "verify"]
