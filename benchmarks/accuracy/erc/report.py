"""The evidence as a whole: what was compared, the curves, what a face costs; as JSON and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sealshot.benchmarks.accuracy.erc.evaluate import GRID, Area, Line
from sealshot.benchmarks.conditions.environment import Environment
from sealshot.runtime.cli.terminal import say, table

MAIN_LIMIT = 0.3


@dataclass(frozen=True)
class Cost:
    """What one face costs."""

    ms: float | None
    """One face at a time on this machine; None where not measured."""
    macs: int | None
    """Multiply-accumulates; None where not known or no network."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What was compared, and how."""

    dataset: str
    matcher: str
    detector: str
    protocol: str
    """In a sentence, for people."""
    pictures: int
    people: int
    genuine: int
    impostor: int
    lost: int
    """Listed pairs of which one picture shows no face."""
    faceless: tuple[str, ...]
    unreadable: tuple[str, ...]
    replicates: int
    seed: int
    command: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that one run found."""

    setting: Setting
    lines: tuple[tuple[Line, ...], ...]
    """A tuple a start, a line a score; the first score is the one in question."""
    costs: Mapping[str, Cost]
    environment: Environment


def as_json(evidence: Evidence) -> dict[str, Any]:
    """Return the evidence for machines; a number that is not known is null."""
    return {
        "setting": vars(evidence.setting),
        "environment": vars(evidence.environment),
        "starts": [
            {
                "start": lines[0].start.label,
                "threshold": lines[0].start.threshold,
                "comparisons": lines[0].curve.comparisons,
                "errors": lines[0].curve.errors,
                "discarded": GRID.tolist(),
                "scores": [_line(line) for line in lines],
            }
            for lines in evidence.lines
        ],
        "costs": {name: vars(cost) for name, cost in evidence.costs.items()},
    }


def print_tables(evidence: Evidence) -> None:
    """Print a table a start: partial areas with intervals, the way to PERFECT, the cost."""
    for lines in evidence.lines:
        curve = lines[0].curve
        say(
            f"\n{lines[0].start.label}: {curve.errors} errors in {curve.comparisons} genuine "
            "comparisons. pAUC: 1 is as good as chance, lower is better."
        )
        table(
            ["score", ">pAUC(0.2)", ">pAUC(0.3)", ">95 %", ">to PERFECT", ">CPU ms/face", ">MMACs"],
            [row(line, evidence.costs) for line in by_area(lines)],
        )


def row(line: Line, costs: Mapping[str, Cost]) -> list[str]:
    """Return the cells of one score: name, two areas, interval, gain, two costs."""
    main = main_area(line)
    cost = costs.get(line.score, Cost(None, None))
    return [
        line.score,
        *(f"{area.value:.3f}" for area in line.areas),
        f"{main.low:.2f} to {main.high:.2f}",
        f"{100 * main.gained:.0f} %",
        "–" if cost.ms is None else f"{cost.ms:.2f}",
        "–" if cost.macs is None else f"{cost.macs / 1e6:.1f}",
    ]


def by_area(lines: Sequence[Line]) -> list[Line]:
    """Return the lines from the best score to the worst."""
    return sorted(lines, key=lambda line: main_area(line).value)


def main_area(line: Line) -> Area:
    """Return the partial area that the verdict rests on."""
    return next(area for area in line.areas if area.limit == MAIN_LIMIT)


def _line(line: Line) -> dict[str, Any]:
    return {
        "score": line.score,
        "pauc": [{k: _number(v) for k, v in vars(area).items()} for area in line.areas],
        "fnmr": [_number(v) for v in line.height],
        "fnmr_low": [_number(v) for v in line.band[0]],
        "fnmr_high": [_number(v) for v in line.band[1]],
    }


def _number(value: float | np.float64) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)
