"""What is right: each numerical hot spot in NumPy float64, to be read in a minute."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]


def sample_latents(mu: ArrayLike, log_var: ArrayLike, noise: ArrayLike) -> Doubles:
    """Return z = mu + sigma * noise, the reparametrisation of Kingma and Welling (2014).

    Args:
        mu: ``[n, d]``, means of q(z|x).
        log_var: ``[n, d]``, logarithms of its variances.
        noise: ``[l, d]``, the same for every n.

    Returns:
        ``float64 [n, l, d]``.
    """
    mu, log_var, noise = (np.asarray(a, np.float64) for a in (mu, log_var, noise))
    return np.asarray(mu[:, None] + np.exp(log_var / 2)[:, None] * noise)


def rp_likelihood(x: ArrayLike, mu: ArrayLike, log_var: ArrayLike) -> Doubles:
    """Return log RP = log mean_l prod_pixels N(x | mu_l, sigma_l) (An and Cho 2015).

    Args:
        x: ``[n, p]``, pixels from 0 to 1.
        mu: ``[n, l, p]``, means that the decoder gives for each latent sample.
        log_var: ``[n, l, p]``, logarithms of the variances.

    Returns:
        ``float64 [n]``; NaN where an input is NaN.
    """
    x, mu, log_var = (np.asarray(a, np.float64) for a in (x, mu, log_var))
    squared = (x[:, None] - mu) ** 2 * np.exp(-log_var)
    each = -(squared + log_var + np.log(2 * np.pi)).sum(axis=2) / 2  # [n, l]
    best = each.max(axis=1)
    return np.asarray(best + np.log(np.exp(each - best[:, None]).mean(axis=1)))
