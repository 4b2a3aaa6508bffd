"""Series and videos: the same model on data of other ranks."""

import keras
import numpy as np
import pytest

import keras_vae
from keras_vae import datasets
from keras_vae import networks


@pytest.mark.parametrize(
    ("x", "epochs"),
    [
        (datasets.waveforms(320, length=64), 12),
        (datasets.moving_digits(96, num_frames=4, size=10), 20),
    ],
    ids=["waveforms", "moving digits"],
)
def test_reconstructs_better_than_the_mean(x, epochs):
    keras.utils.set_random_seed(0)
    options = {"filters": 8, "residual_filters": 4, "num_residual_layers": 1}
    encoder = networks.residual_encoder(
        x.shape[1:], 4, num_downsamplings=1, **options, seed=1
    )
    decoder = networks.residual_decoder(
        encoder.output_shape[1:],
        x.shape[1:],
        num_upsamplings=1,
        **options,
        seed=1,
    )
    model = keras_vae.VQVAE(encoder, decoder, 32, embedding_dim=4, seed=2)
    model.compile(keras.optimizers.Adam(5e-3))
    train, test = x[: -len(x) // 4], x[-len(x) // 4 :]
    logs = model.fit(train, batch_size=8, epochs=epochs, verbose=0).history
    assert logs["usage"][-1] > 0.5
    error = np.square(model.reconstruct(test) - test).mean()
    assert error < 0.9 * np.square(test - train.mean(axis=0)).mean()
    indices = model.encode_indices(test)
    assert indices.shape[1:] == encoder.output_shape[1:-1]
    np.testing.assert_allclose(
        model.decode_indices(indices), model.reconstruct(test), atol=1e-5
    )
