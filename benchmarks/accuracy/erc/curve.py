"""The error-versus-reject curve (ERC; in ISO/IEC 29794-1 the error-versus-discard characteristic).

Take genuine comparisons: two pictures of one person, the distance that a matcher sees between them,
and the quality that a score gives to the probe. A comparison is an error (a false non-match) when
its distance reaches a threshold that is fixed once, with nothing discarded. Discard the comparisons
of lowest quality and look at the share of errors in what is left (FNMR): a score that finds the
pictures which a matcher cannot use makes it fall. A score that is blind to them leaves it flat.

Rules, so that figures of two runs can be compared:
- the threshold never moves while comparisons are discarded;
- comparisons of equal quality leave together;
- the discard fraction counts comparisons, not pictures;
- between two points the curve keeps the height of the left one;
- the partial area (pAUC) is the mean height from 0 to a limit over the starting height: 1 is flat.

Source: Baert, Leroux, Simoens 2021, equations 3-6; Schlett et al., arXiv 2303.13294.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sealshot.runtime.errors import InputError

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Start:
    """Where a curve starts: the threshold, and the rule that set it."""

    label: str
    """``FNMR 0.01`` or ``FMR 0.001``."""
    threshold: float
    """A distance at or above it is a non-match."""
    fnmr: float | None = None
    """The starting FNMR that was asked for; None where the threshold came from elsewhere."""


@dataclass(frozen=True, eq=False)
class Curve:
    """FNMR at each discard fraction that can be had."""

    discarded: Doubles
    """``float64 [k]``: share of comparisons discarded, rising from 0, below 1."""
    fnmr: Doubles
    """``float64 [k]``: share of errors in what is left."""
    comparisons: int
    """Comparisons before the first is discarded."""
    errors: int
    """Errors among them."""

    def at(self, discarded: ArrayLike) -> Doubles:
        """Return the FNMR at discard fractions; the curve keeps the height of the point before."""
        index = np.searchsorted(self.discarded, discarded, side="right") - 1
        return np.asarray(self.fnmr[index], float)

    def pauc(self, limit: float) -> float:
        """Return the mean FNMR up to ``limit`` over the starting FNMR: 1 is flat, less is better.

        NaN where the curve starts without an error.
        """
        return float(partial_area(self.discarded[None], self.fnmr[None], limit)[0])


def error_versus_reject(distances: ArrayLike, qualities: ArrayLike, threshold: float) -> Curve:
    """Return the curve of one score.

    Args:
        distances: ``[n]``, of genuine comparisons.
        qualities: ``[n]``, of the same comparisons; higher is better, ``-inf`` leaves first.
        threshold: a distance at or above it is an error.

    Raises:
        InputError: nothing to compare, unequal lengths, a distance that is not finite, a NaN.
    """
    distance, quality = checked(distances, qualities)
    order = np.argsort(quality, kind="stable")
    error = distance[order] >= threshold
    # how many have left when each group of equal quality has; the last group stays
    left_behind = np.concatenate([[0], last_of_each(quality[order])[:-1] + 1])
    errors = np.concatenate([[0], np.cumsum(error)])
    total = len(distance)
    return Curve(
        discarded=left_behind / total,
        fnmr=(errors[-1] - errors[left_behind]) / (total - left_behind),
        comparisons=total,
        errors=int(errors[-1]),
    )


def pauc(
    distances: ArrayLike, qualities: ArrayLike, *, fnmr: float = 0.01, limit: float = 0.3
) -> float:
    """Return the partial area (:meth:`Curve.pauc`) of a score whose curve starts at ``fnmr``."""
    start = start_at_fnmr(distances, fnmr)
    return error_versus_reject(distances, qualities, start.threshold).pauc(limit)


def start_at_fnmr(distances: ArrayLike, fnmr: float) -> Start:
    """Set the threshold so that the share ``fnmr`` of the comparisons are errors.

    The number of errors is ``fnmr * n`` rounded to a whole number; where distances are equal at the
    threshold there are more.

    Raises:
        InputError: too few comparisons for half an error, or ``fnmr`` is not between 0 and 1.
    """
    distance, _ = checked(distances, distances)
    if not 0 < fnmr < 1:
        raise InputError(f"a starting FNMR of {fnmr:g} is not between 0 and 1", hint="give 0.01")
    errors = errors_wanted(fnmr, len(distance))
    if errors < 1:
        raise InputError(
            f"{len(distance)} genuine comparisons cannot show an FNMR of {fnmr:g}",
            hint=f"give at least {int(np.ceil(0.5 / fnmr))} comparisons or a higher starting FNMR",
        )
    threshold = np.partition(distance, len(distance) - errors)[len(distance) - errors]
    return Start(f"FNMR {fnmr:g}", float(threshold), fnmr)


def start_at_fmr(impostor_distances: ArrayLike, fmr: float) -> Start:
    """Set the highest threshold at which no more than the share ``fmr`` of the impostors match.

    Raises:
        InputError: too few impostor comparisons for one match, or ``fmr`` is not between 0 and 1.
    """
    distance, _ = checked(impostor_distances, impostor_distances)
    if not 0 < fmr < 1:
        raise InputError(f"an FMR of {fmr:g} is not between 0 and 1", hint="give 0.001")
    matches = int(np.floor(fmr * len(distance) + 1e-9))
    if matches < 1:
        raise InputError(
            f"{len(distance)} impostor comparisons cannot show an FMR of {fmr:g}",
            hint=f"give at least {int(np.ceil(1 / fmr))} of them or a higher FMR",
        )
    return Start(f"FMR {fmr:g}", float(np.partition(distance, matches)[matches]))


def perfect(start: float, discarded: ArrayLike) -> Doubles:
    """Return the lowest FNMR that any score can reach: it discards the errors and nothing else.

    ``max(f - r, 0) / (1 - r)``. The paper draws ``max(f - r, 0)``, the errors left as a share of
    all comparisons; for f of 0.01 the two differ by less than 1 part in 100.
    """
    r = np.asarray(discarded, float)
    return np.asarray(np.maximum(start - r, 0) / (1 - r), float)


def perfect_pauc(start: float, limit: float) -> float:
    """Return the partial area of :func:`perfect` over the starting FNMR, for one error at a time.

    The limit of many comparisons: the integral of ``(f - r) / (1 - r)`` from 0 to min(f, limit).
    """
    end = min(start, limit)
    area = end + (1 - start) * np.log1p(-end)  # (f - r) / (1 - r) = 1 - (1 - f) / (1 - r)
    return float(area / (limit * start))


def errors_wanted(fnmr: float, comparisons: int | Doubles) -> NDArray[np.int64]:
    """Return the whole number of errors nearest to ``fnmr * comparisons``, a half rounded up."""
    return np.floor(fnmr * np.asarray(comparisons) + 0.5 + 1e-9).astype(np.int64)


def partial_area(discarded: Doubles, fnmr: Doubles, limit: float) -> Doubles:
    """Return the stepwise mean of curves from 0 to ``limit``, over their starting heights.

    Args:
        discarded: ``[b, k]``, rising along k from 0.
        fnmr: ``[b, k]``.
        limit: above 0, up to 1.

    Returns:
        ``float64 [b]``; NaN where a curve starts at 0.

    Raises:
        InputError: the limit is not above 0 and up to 1.
    """
    if not 0 < limit <= 1:
        raise InputError(f"a pAUC limit of {limit:g} is not above 0 and up to 1", hint="give 0.3")
    edges = np.minimum(discarded, limit)
    widths = np.diff(edges, axis=1, append=limit)
    area = np.einsum("bk,bk->b", fnmr, widths)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(fnmr[:, 0] > 0, area / (limit * fnmr[:, 0]), np.nan)


def last_of_each(ascending: Doubles) -> NDArray[np.int64]:
    """Return the index of the last of each group of equal values in a sorted array."""
    return np.append(np.flatnonzero(ascending[1:] != ascending[:-1]), len(ascending) - 1)


def checked(distances: ArrayLike, qualities: ArrayLike) -> tuple[Doubles, Doubles]:
    """Return both as ``float64 [n]``.

    Raises:
        InputError: nothing to compare, unequal lengths, a distance that is not finite, a NaN.
    """
    distance, quality = np.asarray(distances, float), np.asarray(qualities, float)
    if distance.ndim != 1 or distance.shape != quality.shape:
        raise InputError(
            f"distances {list(distance.shape)} and qualities {list(quality.shape)} do not pair up",
            hint="give one number of each a comparison",
        )
    if not len(distance):
        raise InputError("there is no genuine comparison", hint="give two pictures of a person")
    if not np.isfinite(distance).all():
        raise InputError("a distance is not a finite number", hint="check the matcher")
    if np.isnan(quality).any():
        raise InputError(
            f"{int(np.isnan(quality).sum())} qualities are not a number",
            hint="give -inf where a score failed: it is discarded first",
        )
    return distance, quality
