"""Which levels a sampler visits, and what it does at each of them.

A transition from x_t to x_s, s < t, is x_s = A x_hat + B x_t + C noise, with
A, B and C from the tables of a `DiffusionProcess`, in float64.
"""

import numpy as np

from keras_vae.arguments import positive_int
from keras_vae.models.diffusion_process import DiffusionProcess
from keras_vae.typing import Array

METHODS = ("ancestral", "ddim")


def levels(highest: int, num_steps: int | None = None) -> Array:
    """Levels from `highest` downwards to 1, evenly spaced.

    Args:
        highest: int, the level to start from.
        num_steps: None (all of them), or int from 1 to `highest`. A single
            step leads from `highest` to the data.

    Returns:
        int32 array (num_steps,), falling.

    Raises:
        ValueError: if `num_steps` is out of range.
    """
    if num_steps is None:
        num_steps = highest
    if positive_int("num_steps", num_steps) > highest:
        raise ValueError(
            f"`num_steps` must not be above the number of levels, {highest}. "
            f"Received: num_steps={num_steps}"
        )
    chosen = np.round(np.linspace(highest, 1, num_steps))
    return chosen.astype("int32")


def transitions(
    process: DiffusionProcess,
    visited: Array,
    method: str = "ancestral",
    eta: float = 0.0,
    variance: str = "beta",
) -> Array:
    """A, B and C of the transitions between visited levels, and to x_0.

    "ancestral" draws from p of the chain that has these levels alone; "ddim"
    from a chain with the same q(x_t | x_0) and less noise: none at eta 0, the
    posterior's at eta 1. The last transition gives the mean.

    Args:
        process: `DiffusionProcess`.
        visited: int array (n,), falling.
        method: "ancestral" or "ddim".
        eta: float in [0, 1], of "ddim".
        variance: "beta" or "posterior", of "ancestral".

    Returns:
        float64 array (n, 3).

    Raises:
        ValueError: if `method` or `eta` is not one of these.

    Reference:
        Ho, Jain, Abbeel, 2020, algorithm 2; Song, Meng, Ermon, 2021, equation
        12.
    """
    if method not in METHODS:
        raise ValueError(
            f"`method` must be one of {list(METHODS)}. "
            f"Received: method={method!r}"
        )
    if not 0.0 <= eta <= 1.0 or (method == "ancestral" and eta != 0.0):
        raise ValueError(
            "`eta` must be in [0, 1], and is an argument of "
            f"method='ddim'. Received: eta={eta}, method={method!r}"
        )
    t = np.asarray(visited)
    s = np.append(t[1:], 0)
    to_x, to_x_t, posterior = process.posterior(t, s)
    if method == "ddim":
        return _ddim(process, t, s, eta * np.sqrt(posterior))
    if variance == "beta":
        chosen = 1.0 - (process.alpha[t] / process.alpha[s]) ** 2
    else:
        chosen = posterior
    noise = np.sqrt(np.where(s > 0, chosen, 0.0))
    return np.stack([to_x, to_x_t, noise], axis=-1)


def _ddim(process, t, s, noise):
    rest = np.sqrt(np.maximum(process.sigma[s] ** 2 - noise**2, 0.0))
    to_x_t = rest / process.sigma[t]
    to_x = process.alpha[s] - to_x_t * process.alpha[t]
    return np.stack([to_x, to_x_t, noise], axis=-1)
