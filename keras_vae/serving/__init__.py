"""SavedModels for TensorFlow Serving and TensorFlow's C runtime."""

from keras_vae.serving.export_model import export_model

__all__ = ["export_model"]
