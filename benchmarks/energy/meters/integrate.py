"""From readings to joules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def power_energy(times: Doubles, watts: Doubles, start: float, end: float) -> float | None:
    """Integrate power over ``[start, end]`` by trapezoids; None without a valid reading.

    Power at the borders lies on the line between the readings around them; outside of all readings
    it is that of the nearest one.

    Args:
        times: seconds, rising.
        watts: of the same length; NaN where a reading failed.
        start: seconds.
        end: seconds.
    """
    valid = np.isfinite(watts)
    times, watts = times[valid], watts[valid]
    if not len(times):
        return None
    inside = (times > start) & (times < end)
    at = np.concatenate([[start], times[inside], [end]])
    power = np.interp(at, times, watts)
    return float(np.sum(np.diff(at) * (power[1:] + power[:-1]) / 2))


def counter_energy(times: Doubles, joules: Doubles, start: float, end: float) -> float | None:
    """Return what a counter gained over ``[start, end]``; None where it never moved twice.

    A counter that is brought up to date now and then is a staircase: only the moments at which it
    moved are known, and energy between them is on a line, which is drawn on beyond the last.

    Args:
        times: seconds, rising.
        joules: as :func:`unwrap` gives them; NaN where a reading failed.
        start: seconds.
        end: seconds.
    """
    valid = np.isfinite(joules)
    times, joules = times[valid], joules[valid]
    moved = np.flatnonzero(np.diff(joules) > 0) + 1
    if len(moved) < 2:
        return None
    times, joules = times[moved], joules[moved]
    mean_w = (joules[-1] - joules[0]) / (times[-1] - times[0])

    def at(moment: float) -> float:
        beyond = min(0.0, moment - times[0]) + max(0.0, moment - times[-1])
        return float(np.interp(moment, times, joules) + mean_w * beyond)

    return at(end) - at(start)


def unwrap(joules: Doubles, wrap_j: float | None) -> tuple[Doubles, int]:
    """Make a counter rise for ever.

    Args:
        joules: as read; NaN where a reading failed.
        wrap_j: where the counter starts again at 0; None where it never does.

    Returns:
        The readings from 0 on, and how often the counter went back without a wrap to explain it: a
        driver that was loaded again. What was used in between is lost.
    """
    valid = np.flatnonzero(np.isfinite(joules))
    steps = np.diff(joules[valid])
    back = steps < 0
    resets = 0
    if wrap_j:
        steps[back] += wrap_j
    else:
        resets = int(back.sum())
        steps[back] = 0
    risen = np.full(len(joules), np.nan)
    risen[valid] = np.concatenate([[0.0], np.cumsum(steps)])[: len(valid)]
    return risen, resets


def longest_gap(times: Doubles, start: float, end: float) -> float:
    """Return the longest time in ``[start, end]`` without a reading at ``times``."""
    inside = times[(times > start) & (times < end)]
    return float(np.diff(np.concatenate([[start], inside, [end]])).max())
