"""One normal fitted to two modes: the figure of the page on divergences.

    python docs/figures/divergences.py

writes divergences.png beside this file.
"""

import pathlib

import numpy as np
from scipy import optimize

WEIGHTS = np.array([0.3, 0.7])
MEANS = np.array([-2.0, 2.0])
SCALE = 0.7
# Far into the tails: what is left out is below 1e-20.
GRID = np.linspace(-16.0, 16.0, 6401)


def log_normal(x, mean, scale):
    return (
        -0.5 * ((x - mean) / scale) ** 2
        - np.log(scale)
        - 0.5 * np.log(2.0 * np.pi)
    )


def log_two_modes(x):
    """The distribution that is fitted."""
    parts = log_normal(x[:, np.newaxis], MEANS, SCALE) + np.log(WEIGHTS)
    return np.logaddexp.reduce(parts, axis=1)


def integral(values):
    return float(np.trapezoid(values, GRID))


# === Divergences of densities p and q, given by their logarithms ===


def forward_kl(log_p, log_q):
    """KL(p || q)"""
    return integral(np.exp(log_p) * (log_p - log_q))


def reverse_kl(log_p, log_q):
    """KL(q || p)"""
    return forward_kl(log_q, log_p)


def jensen_shannon(log_p, log_q):
    """Mean KL of p and of q to their mean."""
    log_mean = np.logaddexp(log_p, log_q) - np.log(2.0)
    return 0.5 * (forward_kl(log_p, log_mean) + forward_kl(log_q, log_mean))


def squared_hellinger(log_p, log_q):
    """1 - integral of sqrt(p q)"""
    return 1.0 - integral(np.exp(0.5 * (log_p + log_q)))


DIVERGENCES = {
    "KL(p || q), forward": forward_kl,
    "KL(q || p), reverse": reverse_kl,
    "Jensen-Shannon": jensen_shannon,
    "squared Hellinger": squared_hellinger,
}


def fit(divergence):
    """Mean and scale of the best normal, and its divergence."""
    log_p = log_two_modes(GRID)

    def value(parameters):
        mean, log_scale = parameters
        return divergence(log_p, log_normal(GRID, mean, np.exp(log_scale)))

    # From the left mode, from between, and from the right one.
    found = [
        optimize.minimize(
            value, [start, 0.0], method="Nelder-Mead", options={"xatol": 1e-6}
        )
        for start in (-2.0, 0.0, 2.0)
    ]
    best = min(found, key=lambda result: result.fun)
    return best.x[0], float(np.exp(best.x[1])), best.fun


def draw():
    """The `matplotlib.figure.Figure`."""
    from matplotlib.figure import Figure

    figure = Figure((7.0, 3.5), layout="constrained")
    axes = figure.subplots()
    p = np.exp(log_two_modes(GRID))
    axes.fill_between(GRID, p, color="0.85", label="p")
    # Two pairs of curves nearly fall together.
    for style, (name, divergence) in zip(
        ("-", "-", "--", "--"), DIVERGENCES.items()
    ):
        mean, scale, _ = fit(divergence)
        q = np.exp(log_normal(GRID, mean, scale))
        axes.plot(GRID, q, style, label=name)
    axes.set(xlim=(-6.0, 6.0), xlabel="x", ylabel="density")
    axes.legend(frameon=False, fontsize=8)
    return figure


def main():
    path = pathlib.Path(__file__).with_suffix(".png")
    draw().savefig(path, dpi=110)
    for name, divergence in DIVERGENCES.items():
        mean, scale, value = fit(divergence)
        print(f"{name}: mean {mean:.4f}, scale {scale:.4f}, value {value:.4f}")
    print(path)


if __name__ == "__main__":
    main()
