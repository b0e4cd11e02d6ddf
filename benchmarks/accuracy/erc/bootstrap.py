"""How sure a curve is: the bootstrap over identities.

The comparisons of one person are not independent (one bad reference spoils all of them), so people
are drawn with replacement, not comparisons. Where the starting FNMR was asked for, each draw sets
its own threshold, as a new data set would. The draws depend on the seed and the identities only:
two scores of one run see the same draws, so the interval of their difference is a paired one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sealshot.benchmarks.accuracy.erc.curve import (
    Doubles,
    Start,
    checked,
    errors_wanted,
    last_of_each,
    partial_area,
)

REPLICATES = 1000
BLOCK = 2_000_000  # comparisons times draws at once: 16 MB an array


@dataclass(frozen=True, eq=False)
class Draws:
    """The curve of one score on each draw."""

    pauc: Doubles
    """``float64 [replicates, limits]``; NaN where a draw holds no error."""
    fall: Doubles
    """``float64 [replicates, grid]``: heights of the curve over its starting height; NaN where a
    draw holds no error."""


def bootstrap(
    distances: ArrayLike,
    qualities: ArrayLike,
    identity: ArrayLike,
    start: Start,
    *,
    limits: Sequence[float] = (0.2, 0.3),
    grid: ArrayLike = (),
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Draws:
    """Draw people with replacement and take the curve of each draw.

    Args:
        distances: ``[n]``, of genuine comparisons.
        qualities: ``[n]``.
        identity: ``[n]``, whom each comparison belongs to; any values.
        start: the threshold; set again in each draw where ``start.fnmr`` is given.
        limits: of the partial areas.
        grid: discard fractions at which to give the heights.
        replicates: number of draws.
        seed: of the draws.

    Raises:
        InputError: see :func:`error_versus_reject`.
    """
    distance, quality = checked(distances, qualities)
    by_quality = np.argsort(quality, kind="stable")
    ends = last_of_each(quality[by_quality])
    by_distance = np.argsort(-distance, kind="stable")
    at = np.asarray(grid, float)
    areas, heights = [], []
    for weights in resample(np.asarray(identity), replicates, seed):  # [b, n]
        if start.fnmr is None:
            threshold = np.full((len(weights), 1), start.threshold)
        else:
            threshold = _thresholds(weights[:, by_distance], distance[by_distance], start.fnmr)
        error = distance[by_quality] >= threshold
        discarded, fnmr = _curves(weights[:, by_quality], error, ends)
        areas.append(np.stack([partial_area(discarded, fnmr, x) for x in limits], axis=1))
        fall = fnmr / np.where(fnmr[:, :1] > 0, fnmr[:, :1], np.nan)
        heights.append(
            [
                f[np.searchsorted(d, at, side="right") - 1]
                for d, f in zip(discarded, fall, strict=True)
            ]
        )
    return Draws(pauc=np.concatenate(areas), fall=np.concatenate(heights))


def interval(values: Doubles, level: float = 0.95) -> Doubles:
    """Return the middle ``level`` of the draws: ``[2, ...]``, low and high, over the first axis.

    Draws that hold no error (NaN) say nothing and are left out; NaN where none is left.
    """
    tail = (1 - level) / 2
    known = ~np.isnan(values).all(axis=0)
    out = np.full((2, *values.shape[1:]), np.nan)
    out[:, known] = np.nanquantile(values[:, known], [tail, 1 - tail], axis=0)
    return out


def resample(
    identity: NDArray[np.generic], replicates: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Draw people with replacement, a block of draws at a time.

    Args:
        identity: ``[n]``, whom each comparison belongs to.
        replicates: number of draws.
        seed: of the draws.

    Yields:
        ``float64 [b, n]``: how often each comparison is in each draw.
    """
    people, person = np.unique(identity, return_inverse=True)
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // len(identity))
    for first in range(0, replicates, block):
        draws = min(block, replicates - first)
        times = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=draws)
        yield times[:, person].astype(np.float64)


def _thresholds(weights: Doubles, distance: Doubles, fnmr: float) -> Doubles:
    """Return the threshold of each draw, ``[b, 1]``; distances fall along n."""
    drawn = np.cumsum(weights, axis=1)
    wanted = np.maximum(errors_wanted(fnmr, drawn[:, -1]), 1)
    return np.asarray(distance[np.argmax(drawn >= wanted[:, None], axis=1)][:, None], float)


def _curves(
    weights: Doubles, error: NDArray[np.bool_], ends: NDArray[np.int64]
) -> tuple[Doubles, Doubles]:
    """Return discard fractions and FNMR of each draw, ``[b, groups]``; qualities rise along n."""
    gone = np.cumsum(weights, axis=1)[:, ends]
    wrong = np.cumsum(weights * error, axis=1)[:, ends]
    nothing = np.zeros((len(weights), 1))
    total, errors = gone[:, -1:], wrong[:, -1:]
    gone = np.concatenate([nothing, gone[:, :-1]], axis=1)
    wrong = np.concatenate([nothing, wrong[:, :-1]], axis=1)
    # a draw may hold nobody above some quality: its curve ends there, at discard fraction 1
    fnmr = np.where(gone < total, (errors - wrong) / np.maximum(total - gone, 1), 0.0)
    return gone / total, fnmr
