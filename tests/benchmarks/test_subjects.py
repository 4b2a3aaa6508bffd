"""What is compared is the same: weights, logs, losses, step by step."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.hand_written_loop import HandWrittenLoop
from benchmarks.subjects import SUBJECTS
from keras_vae import random

SMALL = {"event_shape": (6, 6, 1), "learning_rate": 1e-3}
BETA = {**SMALL, "units": (12,), "latent_dim": 3}
LEVELS = {**SMALL, "units": (16, 8), "latent_dims": (4, 2)}
CODES = {
    "filters": 8,
    "num_embeddings": 8,
    "embedding_dim": 4,
    "learning_rate": 1e-3,
}

TINY = {
    "ae": {**SMALL, "units": (12, 8), "code_dim": 3},
    "denoising_ae": {**SMALL, "units": (12,)},
    "sparse_ae": {**SMALL, "units": 9},
    "k_sparse_ae": {**SMALL, "units": 12, "k": (4,)},
    "contractive_ae": {**SMALL, "units": 9},
    "vae": {**SMALL, "units": (12,), "latent_dim": 4},
    "conv_vae": {
        **SMALL,
        "filters": (4, 4),
        "units": (12,),
        "latent_dim": 4,
    },
    "iwae": {**SMALL, "units": (12, 12), "latent_dim": 4},
    "beta_vae_capacity": {**BETA, "capacity": 5.0},
    "beta_vae_weighted": BETA,
    "beta_vae_discriminator": {**BETA, "discriminator_units": (8,)},
    "hierarchical_vae": LEVELS,
    "ladder_vae": LEVELS,
    "diffusion": {
        "event_shape": (4, 4, 1),
        "filters": 8,
        "multipliers": (1,),
        "attention": (),
        "num_steps": 4,
    },
    "gaussian_mixture": {
        "event_shape": (3,),
        "num_components": 4,
        "learning_rate": 0.01,
    },
    "vq_vae": {**CODES, "event_shape": (8, 8, 1)},
    "vq_vae2": {**CODES, "event_shape": (8, 8, 1)},
    "pixel_snail": {
        "event_shape": (3, 4),
        "num_embeddings": 5,
        "prior_filters": 8,
        "prior_blocks": 2,
        "prior_residual": 1,
    },
    "td_vae": {
        "belief_units": 16,
        "hidden_units": 8,
        "decoder_units": (8, 8),
    },
}
BATCH, STEPS = 50, 3


def batches_of(subject):
    x = subject.arrays(BATCH * STEPS).x_train
    if x.dtype == np.uint8:
        x = x.astype("float32")
    return tf.data.Dataset.from_tensor_slices(x).batch(BATCH)


def spread(shape):
    """Numbers in [0, 1) that depend on the shape alone."""
    shape = tf.convert_to_tensor(shape, "int32")
    place = tf.range(tf.reduce_prod(shape), dtype="float32")
    return tf.reshape(tf.math.floormod(0.3 + 0.618034 * place, 1.0), shape)


@pytest.fixture
def equal_noise(monkeypatch):
    """Both draw the same numbers, so that only rounding is left."""

    def uniform(shape, least=0.0, largest=1.0, dtype="float32"):
        numbers = least + spread(shape) * (largest - least)
        return tf.cast(numbers, dtype)

    def normal(shape):
        return math.sqrt(12.0) * (spread(shape) - 0.5)

    def of_noise(draw):
        return lambda noise, shape, axis=0: draw(shape)

    monkeypatch.setattr(tf.random, "uniform", uniform)
    monkeypatch.setattr(tf.random, "normal", normal)
    for name in ("uniform", "shared_uniform"):
        monkeypatch.setattr(random.Noise, name, of_noise(uniform))
    monkeypatch.setattr(random.Noise, "normal", of_noise(normal))


@pytest.mark.parametrize("name", SUBJECTS)
def test_it_trains_what_fit_trains(name, equal_noise):
    subject = SUBJECTS[name](**TINY[name])
    batches = batches_of(subject)
    model = subject.model()
    model.build((None, *subject.event_shape))
    objective = subject.objective()
    groups = [variables for _, variables in objective.groups()]
    ours = [v for variables in groups for v in variables]
    theirs = model.trainable_variables
    if len(groups) > 1:
        # The discriminator's come last here, and among the others there.
        second = model.discriminator.trainable_variables
        known = {id(v) for v in second}
        theirs = [v for v in theirs if id(v) not in known] + second
    assert [v.shape for v in ours] == [v.shape for v in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        mine.assign(other)

    loop = HandWrittenLoop(objective, 2, jit_compile=False)
    loop.train(batches, STEPS, epochs=1)
    # As a graph it is what other tests have.
    model.compile(subject.optimizer(), run_eagerly=True)
    history = model.fit(batches, verbose=0).history

    assert loop.logs.keys() == history.keys()
    expected = {log: values[0] for log, values in history.items()}
    # Steps of Adam magnify rounding where a gradient is nearly zero.
    assert loop.logs == pytest.approx(expected, rel=2e-3, abs=2e-3)


def test_every_subject_is_tested():
    assert TINY.keys() == SUBJECTS.keys()


def test_half_precision():
    """Losses are float32 whatever the networks compute in."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for name in ("denoising_ae", "td_vae"):
            subject = SUBJECTS[name](**TINY[name])
            x = next(iter(batches_of(subject)))
            (loss,), logs = subject.objective().losses(x)
            assert loss.dtype == "float32"
            assert all(value.dtype == "float32" for value in logs.values())
    finally:
        keras.config.set_dtype_policy("float32")
