"""The recipe from its command line, and the measures that it reports."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_vae
from keras_vae import datasets
from keras_vae import networks
from recipes import sequence_data
from recipes import sequence_scores
from recipes import td_vae_gregor2019


def run(folder, *flags):
    td_vae_gregor2019.main(
        [
            *("--smoke", "--out", str(folder / "run")),
            *("--saved-models", str(folder / "saved_models")),
            *flags,
        ]
    )
    return json.loads((folder / "run" / "metrics.json").read_text())["numbers"]


def test_moving_digits(tmp_path):
    numbers = run(tmp_path)
    models = ("td_vae", "filtering", "mean_field")
    for name in models:
        assert 0.0 <= numbers[f"{name}_direction_kept"] <= 1.0
        best = keras.saving.load_model(tmp_path / "run" / name / "best.keras")
        assert best.latent_dims == [3, 2]
    bounds = [numbers[f"{name}_bound_per_step"] for name in models]
    assert numbers["above_filtering"] == pytest.approx(bounds[0] - bounds[1])
    assert numbers["above_mean_field"] == pytest.approx(bounds[0] - bounds[2])
    assert numbers["direction_found_in_data"] == 1.0
    figures = tmp_path / "run" / "figures"
    assert {path.name for path in figures.iterdir()} == {
        *(f"loss_curves_{name}.png" for name in models),
        "rollouts.png",
        "futures_of_one_frame.png",
        "rollouts.gif",
        "futures.gif",
    }
    with Image.open(figures / "rollouts.gif") as animation:
        assert animation.n_frames == 16
    served = tf.saved_model.load(tmp_path / "saved_models/td_vae_gregor2019/1")
    assert set(served.signatures) == {
        *("serving_default", "belief", "rollout", "jump")
    }


def test_oscillator(tmp_path):
    numbers = run(
        tmp_path, "--data", "oscillator", "--length", "60", "--context", "20",
        *("--jump-range", "1", "30"),
    )  # fmt: skip
    ratio = numbers["jump_error_at_20"] / numbers["single_steps_error_at_20"]
    assert numbers["error_of_jump_to_steps"] == pytest.approx(ratio)
    assert 0.0 <= numbers["coverage_of_90_percent_at_30"] <= 1.0
    assert (tmp_path / "run" / "figures" / "forecasts.png").exists()


@pytest.mark.parametrize(
    ("argument", "flags"),
    [
        ("context", ("--context", "15")),
        ("jump_range", ("--data", "oscillator", "--context", "150")),
    ],
)
def test_settings_that_contradict_each_other(tmp_path, capsys, argument, flags):
    with pytest.raises(SystemExit):
        run(tmp_path, *flags)
    assert f"`{argument}` must" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# === Measures ===


@pytest.fixture(scope="module")
def videos():
    images = datasets.load_arrays("digits").x_test[:200]
    return datasets.moving_images((images > 0.5).astype("float32"), 300, 5)


def test_directions_of_real_videos(videos):
    x, direction = videos
    np.testing.assert_array_equal(sequence_data.found_directions(x), direction)
    np.testing.assert_array_equal(
        sequence_data.found_directions(x[:, ::-1]), -direction
    )
    standing = np.repeat(x[:, :1], 3, axis=1)
    assert np.all(sequence_data.found_directions(standing) == 0)


class Knowing:
    """Rolls real videos on, `share` of them in the right direction."""

    def __init__(self, share):
        self.share = share

    def rollout(self, x, num_steps, num_samples, seed):
        x = np.asarray(x)
        if x.shape[1] > 1:
            ways = sequence_data.found_directions(x)
        else:
            ways = np.ones(len(x), int)
        right = np.arange(num_samples) < self.share * num_samples
        frames = [
            [
                [
                    np.roll(video[-1], way * (1 if kept else -1) * step, axis=1)
                    for step in range(1, num_steps + 1)
                ]
                for kept in right
            ]
            for video, way in zip(x, ways)
        ]
        return np.array(frames)


def test_share_of_directions(videos):
    x, direction = videos
    for share in (1.0, 0.4):
        found = sequence_scores.directions(
            Knowing(share), x[:40], direction[:40], 2, num_samples=5, seed=0
        )
        assert found == pytest.approx(share)
    right, both = sequence_scores.directions_of_one_frame(
        Knowing(0.6), x[:40], 3, num_samples=5, seed=0
    )
    assert (right, both) == (pytest.approx(0.6), 1.0)
    assert sequence_scores.directions_of_one_frame(
        Knowing(1.0), x[:40], 3, num_samples=5, seed=0
    ) == (1.0, 0.0)


def test_coverage_of_exact_bands():
    rng = np.random.default_rng(0)
    center = rng.normal(size=(2000, 1)) * 5
    samples = center + rng.normal(size=(2000, 400))
    x = center[:, 0] + rng.normal(size=2000)
    found = sequence_scores.coverage(samples, x)
    assert found == pytest.approx(0.9, abs=0.025)
    assert sequence_scores.coverage(samples, x, 0.5) == pytest.approx(
        0.5, abs=0.04
    )


def test_mean_and_error():
    values = [1.0, 2.0, 3.0, 6.0]
    mean, error = sequence_scores.mean_and_error(values)
    assert mean == 3.0
    assert error == pytest.approx(np.sqrt(14 / 3 / 4))


def test_seconds_of_transitions():
    """Twenty steps are twenty times the work of one."""
    model = keras_vae.TDVAE(
        keras.layers.LSTM(4),
        networks.mlp_decoder(32, (1,), (8,), seed=0),
        [32],
        hidden_units=512,
        likelihood="normal",
        jump_range=(1, 20),
        seed=0,
    )
    model.build((None, None, 1))
    jump, steps = sequence_scores.seconds_of_transitions(model, 20, rounds=5)
    assert steps > 3 * jump
