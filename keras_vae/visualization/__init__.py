"""Figures. Functions return one; only those named `save_...` write a file."""

from keras_vae.visualization.image_grid import image_grid
from keras_vae.visualization.plot_activation_histograms import (
    plot_activation_histograms,
)
from keras_vae.visualization.plot_corrupted_reconstructions import (
    plot_corrupted_reconstructions,
)
from keras_vae.visualization.plot_factor_map import plot_factor_map
from keras_vae.visualization.plot_filters import plot_filters
from keras_vae.visualization.plot_forecast import plot_forecast
from keras_vae.visualization.plot_history import plot_history
from keras_vae.visualization.plot_latent_map import plot_latent_map
from keras_vae.visualization.plot_level_maps import plot_level_maps
from keras_vae.visualization.plot_manifold import plot_manifold
from keras_vae.visualization.plot_rate_distortion import plot_rate_distortion
from keras_vae.visualization.plot_reconstructions import plot_reconstructions
from keras_vae.visualization.plot_resampled_levels import plot_resampled_levels
from keras_vae.visualization.plot_rows import plot_rows
from keras_vae.visualization.plot_samples import plot_samples
from keras_vae.visualization.plot_traversals import plot_traversals
from keras_vae.visualization.plot_units_over_epochs import (
    plot_units_over_epochs,
)
from keras_vae.visualization.save_animation import save_animation
from keras_vae.visualization.save_figure import save_figure
from keras_vae.visualization.tile_images import tile_images

__all__ = [
    "image_grid",
    "plot_activation_histograms",
    "plot_corrupted_reconstructions",
    "plot_factor_map",
    "plot_filters",
    "plot_forecast",
    "plot_history",
    "plot_latent_map",
    "plot_level_maps",
    "plot_manifold",
    "plot_rate_distortion",
    "plot_reconstructions",
    "plot_resampled_levels",
    "plot_rows",
    "plot_samples",
    "plot_traversals",
    "plot_units_over_epochs",
    "save_animation",
    "save_figure",
    "tile_images",
]
