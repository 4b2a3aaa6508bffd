"""Points, colours and principal components."""

import numpy as np
import pytest

from keras_vae.visualization import plot_latent_map

CODES = np.random.default_rng(0).normal(size=(30, 2))
LABELS = np.arange(30) % 3


def test_two_dimensions_are_shown_as_they_are():
    axes = plot_latent_map(CODES, title="codes").axes[0]
    (points,) = axes.collections
    np.testing.assert_array_equal(points.get_offsets(), CODES)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z[0]", "z[1]")


@pytest.mark.parametrize("names", [[0, 1, 2], ["cat", "dog", "eel"]])
def test_a_colour_for_each_label(names):
    figure = plot_latent_map(CODES, np.array(names)[LABELS])
    groups = figure.axes[0].collections
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [str(n) for n in names]
    for label, points in enumerate(groups):
        np.testing.assert_array_equal(
            points.get_offsets(), CODES[LABELS == label]
        )
    colors = {tuple(points.get_facecolor()[0]) for points in groups}
    assert len(colors) == 3


def test_many_labels_have_their_own_colours():
    figure = plot_latent_map(CODES, np.arange(30))
    groups = figure.axes[0].collections
    assert len({tuple(g.get_facecolor()[0]) for g in groups}) == 30


def test_more_dimensions_are_projected():
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))
    plane = CODES * [3.0, 1.0]
    codes = np.pad(plane, ((0, 0), (0, 3))) @ rotation
    axes = plot_latent_map(codes).axes[0]
    (points,) = axes.collections
    shown = np.asarray(points.get_offsets())
    # The plane again, up to a rotation: distances are kept.
    np.testing.assert_allclose(
        np.linalg.norm(shown[:, None] - shown, axis=-1),
        np.linalg.norm(plane[:, None] - plane, axis=-1),
        atol=1e-9,
    )
    assert shown[:, 0].var() > shown[:, 1].var()
    assert axes.get_xlabel().startswith("principal component 1 (")


@pytest.mark.parametrize("shape", [(30,), (30, 1), (1, 2), (5, 2, 2)])
def test_codes_that_are_no_plane(shape):
    with pytest.raises(ValueError, match="Received: codes of shape"):
        plot_latent_map(np.zeros(shape))


def test_labels_must_fit():
    with pytest.raises(ValueError, match=r"shape \(30,\)"):
        plot_latent_map(CODES, LABELS[:-1])
