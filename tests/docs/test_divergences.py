"""The figure of the divergences shows what the page says."""

import numpy as np
import pytest

from tests.docs import pages


@pytest.fixture(scope="module")
def page():
    return pages.module(pages.DOCS / "figures/divergences.py")


def moments(page):
    """Mean and variance of the two modes, by hand."""
    mean = page.WEIGHTS @ page.MEANS
    return mean, page.WEIGHTS @ (page.SCALE**2 + page.MEANS**2) - mean**2


def test_forward_kl_is_cross_entropy_less_entropy(page):
    """Between normals in closed form; the best normal has p's moments."""
    log_p = page.log_normal(page.GRID, 0.5, 1.5)
    log_q = page.log_normal(page.GRID, -1.0, 2.0)
    expected = np.log(2.0 / 1.5) + (1.5**2 + 1.5**2) / (2 * 2.0**2) - 0.5
    kl = page.forward_kl(log_p, log_q)
    assert kl == pytest.approx(expected, rel=1e-6)
    cross_entropy = -page.integral(np.exp(log_p) * log_q)
    entropy = 0.5 * np.log(2.0 * np.pi * np.e * 1.5**2)
    assert kl == pytest.approx(cross_entropy - entropy, rel=1e-6)

    mean, scale, _ = page.fit(page.forward_kl)
    expected_mean, variance = moments(page)
    assert mean == pytest.approx(expected_mean, abs=1e-3)
    assert scale**2 == pytest.approx(variance, rel=1e-3)


def test_reverse_kl_takes_the_heavy_mode(page):
    """At a cost of about the logarithm of its weight."""
    mean, scale, value = page.fit(page.reverse_kl)
    assert mean == pytest.approx(page.MEANS[1], abs=0.02)
    assert scale == pytest.approx(page.SCALE, rel=0.03)
    assert value == pytest.approx(-np.log(page.WEIGHTS[1]), rel=0.02)


def test_all_are_divergences(page):
    log_p = page.log_two_modes(page.GRID)
    log_q = page.log_normal(page.GRID, 1.0, 1.0)
    assert page.integral(np.exp(log_p)) == pytest.approx(1.0, abs=1e-9)
    for divergence in page.DIVERGENCES.values():
        assert divergence(log_p, log_p) == pytest.approx(0.0, abs=1e-9)
        assert divergence(log_p, log_q) > 0.01
    for divergence in (page.jensen_shannon, page.squared_hellinger):
        assert divergence(log_p, log_q) == pytest.approx(
            divergence(log_q, log_p)
        )
    far = page.log_normal(page.GRID, 12.0, 0.2)
    assert page.jensen_shannon(log_p, far) == pytest.approx(np.log(2.0))
    assert page.squared_hellinger(log_p, far) == pytest.approx(1.0)


def test_numbers_of_the_page(page):
    text = (pages.DOCS / "divergences.md").read_text()
    text = text.replace("\\|", "|")
    for name, divergence in page.DIVERGENCES.items():
        mean, scale, value = page.fit(divergence)
        assert f"\n| {name} | {mean:.2f} | {scale:.2f} | {value:.3f} |" in text


def test_figure_is_drawn(page):
    axes = page.draw().axes[0]
    assert len(axes.lines) == len(page.DIVERGENCES)
