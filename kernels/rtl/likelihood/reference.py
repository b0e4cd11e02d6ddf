"""What is right: the likelihood of `rp` in whole numbers, to base 2.

The float64 form is :func:`sealshot.kernels.reference.rp_likelihood`. Here, for a pixel x from 0 to
255, a mean mu in 1/4080 and v = log2(variance) in 1/128::

    d = 16 x - mu                                       # 1/4080
    i, f = divmod(-v, 256)                              # sd = 2**-(i + f / 256)
    z = clip(round(d * POWERS[f] / 2**(18 - i)), 18 bits)          # 1/1024
    energy of a sample = sum over its pixels of z * z + 4096 v     # 2**-20, to base 2
    least = min over the samples
    mass = sum over the samples of 2**-(energy - least), by POWERS # 2**-16, times GAIN

``POWERS`` holds 2**(f / 256) times the root of 1 / (2 ln 2), which makes z * z a logarithm to base
2, and 4096 / 4080, which makes the unit of d a power of two. All shifts round towards minus
infinity; "round" adds one half before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]

PIXELS = 64 * 64
MOST_SAMPLES = 16
MEAN_UNIT, LOG_UNIT = 4080, 128
MEAN_BITS, LOG_BITS = 14, 13
"""Signed: means from -2 to 2, log2 of a variance from -32 to 32."""
FRACTION_BITS, POWER_BITS = 8, 17
SHIFT = 18
Z_BITS, ENERGY_BITS, MASS_BITS = 18, 48, 22
ENERGY_UNIT = 1 << 20
LEAST_POWER = 1 << 16
GAIN = (1 / (2 * np.log(2))) ** 0.5 * 4096 / MEAN_UNIT
POWERS: Integers = np.rint(LEAST_POWER * GAIN * 2 ** (np.arange(256) / 256)).astype(np.int64)
"""``[256]``."""


@dataclass(frozen=True)
class Likelihood:
    """What the hardware gives for a face."""

    least: int
    """The lowest energy of its samples, in 2**-20, to base 2."""
    mass: int
    """How often that counts, in 2**-16 times GAIN."""

    def log_rp(self, samples: int) -> float:
        """Return log RP in nats, as :func:`~sealshot.kernels.reference.rp_likelihood` does."""
        bits = np.log2(self.mass / (LEAST_POWER * GAIN) / samples) - self.least / ENERGY_UNIT
        return float(np.log(2) * bits - PIXELS / 2 * np.log(2 * np.pi))


def quantise(mu: ArrayLike, log_var: ArrayLike) -> tuple[Integers, Integers]:
    """Return means, and natural logarithms of variances, in the units above and their bits."""
    means = np.rint(np.asarray(mu, np.float64) * MEAN_UNIT)
    logs = np.rint(np.asarray(log_var, np.float64) / np.log(2) * LOG_UNIT)
    return _clip(means.astype(np.int64), MEAN_BITS), _clip(logs.astype(np.int64), LOG_BITS)


def likelihood(x: NDArray[np.uint8], mu: Integers, v: Integers) -> Likelihood:
    """Return the likelihood of one face.

    Args:
        x: ``uint8 [p]``.
        mu: ``[l, p]``, in 1/4080; 1 to 16 samples.
        v: ``[l, p]``, in 1/128.
    """
    d = 16 * x.astype(np.int64) - mu
    i, f = -v >> FRACTION_BITS, -v & 255
    half = d * POWERS[f] >> (SHIFT - 1 - i)
    z = _clip((half + 1) >> 1, Z_BITS)
    energies = (z * z + (v << 12)).sum(1)
    least = int(energies.min())
    below = -((energies - least) >> 12)  # in 1/256
    powers = POWERS[below & 255] >> np.minimum(-(below >> FRACTION_BITS), 31)
    return Likelihood(least, int(powers.sum()))


def _clip(x: Integers, bits: int) -> Integers:
    return np.clip(x, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
