"""Videos become GIF files that hold every frame."""

import os

import numpy as np
import pytest
from PIL import Image
from PIL import ImageSequence

from keras_vae.visualization import save_animation

VIDEOS = np.random.default_rng(0).random((2, 5, 4, 3, 1), "float32")


@pytest.mark.parametrize("channels", [1, 3])
def test_frames(tmp_path, channels):
    path = tmp_path / "new" / "videos.gif"
    videos = np.repeat(VIDEOS, channels, axis=-1)
    save_animation(videos, path, columns=2, frame_seconds=0.2, zoom=3)
    assert os.listdir(path.parent) == [path.name]
    with Image.open(path) as animation:
        assert animation.n_frames == 5
        assert animation.info["duration"] == 200
        assert animation.info["loop"] == 0
        assert animation.size == (3 * (2 * 3 + 1), 3 * 4)
        frames = [
            np.asarray(frame.convert("L")) / 255
            for frame in ImageSequence.Iterator(animation)
        ]
    for index, frame in enumerate(frames):
        second = frame[::3, 4 * 3 :: 3]
        np.testing.assert_allclose(second, VIDEOS[1, index, ..., 0], atol=0.02)


@pytest.mark.parametrize(
    ("argument", "kwargs"),
    [
        ("videos", {"videos": VIDEOS[0]}),
        ("videos", {"videos": VIDEOS[:0]}),
        ("path", {"path": "videos.png"}),
        ("frame_seconds", {"frame_seconds": 0.001}),
        ("zoom", {"zoom": 0}),
    ],
)
def test_bad_arguments(tmp_path, monkeypatch, argument, kwargs):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"`{argument}`"):
        save_animation(**{"videos": VIDEOS, "path": "videos.gif", **kwargs})
    assert os.listdir(tmp_path) == []
