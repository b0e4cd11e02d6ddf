"""From comparisons and qualities to curves with intervals: the figures of the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sealshot.benchmarks.accuracy.erc.bootstrap import REPLICATES, Draws, bootstrap, interval
from sealshot.benchmarks.accuracy.erc.comparisons import Comparisons
from sealshot.benchmarks.accuracy.erc.curve import (
    Curve,
    Doubles,
    Start,
    error_versus_reject,
    perfect_pauc,
    start_at_fmr,
    start_at_fnmr,
)
from sealshot.runtime.cli.terminal import progress, warn
from sealshot.runtime.errors import InputError

LIMITS = (0.2, 0.3)
FEW = 10  # errors
GRID = np.round(np.arange(0, 0.4001, 0.005), 3)


@dataclass(frozen=True, eq=False)
class Area:
    """A partial area, its 95 % interval, and how it compares with the first score of the run."""

    limit: float
    value: float
    low: float
    high: float
    gained: float
    """How far from flat (0) to PERFECT (1)."""
    behind: float
    """This area less that of the first score: above 0, the first score is better."""
    behind_low: float
    """95 % interval of ``behind``, both scores on the same draws."""
    behind_high: float


@dataclass(frozen=True, eq=False)
class Line:
    """One score from one start."""

    score: str
    start: Start
    curve: Curve
    areas: tuple[Area, ...]
    """One a limit of :data:`LIMITS`."""
    height: Doubles
    """``[grid]``: FNMR at the discard fractions of :data:`GRID`."""
    band: Doubles
    """``[2, grid]``: 95 % interval of its fall: each draw of people over its own start."""


def starts(comparisons: Comparisons, fnmr: Sequence[float], fmr: Sequence[float]) -> list[Start]:
    """Set the thresholds; one that the data are too few for is left out with a warning.

    Raises:
        InputError: none is left.
    """
    found, reason = [], InputError("there is no starting point", hint="give --fnmr or --fmr")
    for set_start, distances, rates in (
        (start_at_fnmr, comparisons.distance, fnmr),
        (start_at_fmr, comparisons.impostor, fmr),
    ):
        for rate in rates:
            try:
                if not len(distances) and set_start is start_at_fmr:
                    raise InputError(f"no impostor comparison, so no threshold at FMR {rate:g}")
                start = set_start(distances, rate)
                if not (comparisons.distance >= start.threshold).any():
                    raise InputError(f"no genuine comparison fails at {start.label}")
                if (comparisons.distance >= start.threshold).all():
                    raise InputError(
                        f"all {len(comparisons.distance)} genuine comparisons fail at "
                        f"{start.label}: whatever is discarded, all of the rest fail",
                        hint="give more pictures, or a lower rate",
                    )
                found.append(start)
                errors = int((comparisons.distance >= start.threshold).sum())
                if errors < FEW:
                    warn(
                        f"{start.label} rests on {errors} errors: read its intervals, not its rank"
                    )
            except InputError as error:
                warn(f"left out: {error.fact}")
                reason = error
    if not found:
        raise reason
    return found


def evaluate(
    comparisons: Comparisons,
    qualities: Mapping[str, Doubles],
    start: Start,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[Line]:
    """Take the curve of each score, and its interval by bootstrap over people.

    Args:
        comparisons: what is compared.
        qualities: ``[n]`` each, of the comparisons; the first one is what the others stand against.
        start: the threshold.
        replicates: draws of the bootstrap.
        seed: of the draws.
    """
    lines: list[Line] = []
    first: Draws | None = None
    with progress(start.label, len(qualities)) as bar:
        for done, (name, quality) in enumerate(qualities.items()):
            bar.update(done, name)
            curve = error_versus_reject(comparisons.distance, quality, start.threshold)
            draws = bootstrap(
                comparisons.distance,
                quality,
                comparisons.person,
                start,
                limits=LIMITS,
                grid=GRID,
                replicates=replicates,
                seed=seed,
            )
            first = first or draws
            against = lines[0].curve if lines else curve
            lines.append(
                Line(
                    score=name,
                    start=start,
                    curve=curve,
                    areas=_areas(curve, draws, against, first),
                    height=curve.at(GRID),
                    band=interval(draws.fall) * curve.fnmr[0],
                )
            )
    return lines


def _areas(curve: Curve, draws: Draws, against: Curve, first: Draws) -> tuple[Area, ...]:
    ends = interval(draws.pauc)
    differences = interval(draws.pauc - first.pauc)
    areas = []
    for i, limit in enumerate(LIMITS):
        value = curve.pauc(limit)
        best = perfect_pauc(float(curve.fnmr[0]), limit)
        areas.append(
            Area(
                limit=limit,
                value=value,
                low=float(ends[0, i]),
                high=float(ends[1, i]),
                gained=(1 - value) / (1 - best),
                behind=value - against.pauc(limit),
                behind_low=float(differences[0, i]),
                behind_high=float(differences[1, i]),
            )
        )
    return tuple(areas)
