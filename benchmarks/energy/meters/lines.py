"""What the lines of an external meter say: times, watts, and in which form they are written.

A line is ``time,watts`` or ``watts`` alone, with a point or a decimal comma, its columns apart by
a comma, a semicolon or a tab. Times are seconds, milliseconds, or ISO 8601. Where every line can be
read in two ways (``5,10`` is 10 W at 5 s, or 5.10 W), the clock tells: times keep pace with the
arrival of their lines.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

MOST_W = 100_000.0
"""No supply of a board carries more: the column is another one, such as a current in µA."""
TWO_WAYS = re.compile(r"-?\d{1,5},\d+")
FEWEST = 3
"""Lines that tell a clock from what is none."""
UNITS_S = (1.0, 1e-3)
"""Of a logger's times."""
PACE = 3.0
"""How much faster or slower than ours a logger's clock may seem, as lines come in bursts."""


@dataclass(frozen=True, eq=False)
class Readings:
    """What lines say."""

    arrival: Doubles
    """When each came, seconds by our clock."""
    stamps: Doubles
    """What the logger wrote, seconds by its clock; our clock where it wrote no time."""
    watts: Doubles
    skipped: int
    """Lines that are no reading."""
    why_not: str = ""
    """Why they cannot be told; empty where they can."""


NOTHING = np.empty(0)


def read_lines(lines: Sequence[tuple[float, str]]) -> Readings:
    """Read lines, each with the time of its arrival in seconds, rising."""
    two_ways = [(at, line) for at, line in lines if TWO_WAYS.fullmatch(line.strip())]
    decimal_comma = False
    if two_ways and not any(_has_time(line) for _, line in lines):
        stamps = np.array([float(line.strip().partition(",")[0]) for _, line in two_ways])
        pace = _pace(np.array([at for at, _ in two_ways]), stamps)
        if pace is None:
            said = two_ways[0][1].strip()
            why = f"'{said}' may be a time and watts, or watts with a decimal comma"
            return Readings(NOTHING, NOTHING, NOTHING, len(lines), why)
        decimal_comma = not any(_keeps(pace, unit) for unit in UNITS_S)
    rows: list[tuple[float, float, float]] = []
    too_much = 0
    for at, line in lines:
        try:
            stamp, watts = parse_line(line, decimal_comma=decimal_comma)
        except ValueError:
            continue
        if abs(watts) > MOST_W:
            too_much += 1
            continue
        rows.append((at, at if stamp is None else stamp, watts))
    skipped = len(lines) - len(rows)
    if not rows:
        why = f"the last column is not watts: it is above {MOST_W:,.0f}" if too_much else ""
        return Readings(NOTHING, NOTHING, NOTHING, skipped, why)
    arrival, stamps, power = np.array(rows).T
    pace = _pace(arrival, stamps)
    if pace is None:
        return Readings(arrival, stamps, power, skipped)
    unit = next((unit for unit in UNITS_S if _keeps(pace, unit)), None)
    if unit is None and pace > 0:
        why = f"the first column runs {pace:.3g} times as fast as time: write seconds"
        return Readings(NOTHING, NOTHING, NOTHING, len(lines), why)
    return Readings(arrival, (unit or 1.0) * stamps, power, skipped)


def parse_line(line: str, *, decimal_comma: bool = False) -> tuple[float | None, float]:
    """Return the time of a line, where it has one, and watts.

    Args:
        line: text.
        decimal_comma: the comma of a line without any other separator is a decimal one.

    Raises:
        ValueError: it is no reading.
    """
    text = line.strip()
    apart = next((mark for mark in ";\t" if mark in text), None)
    if apart or (decimal_comma and TWO_WAYS.fullmatch(text)):
        cells = [cell.strip().replace(",", ".") for cell in text.split(apart or ";")]
    else:
        cells = [cell.strip() for cell in text.split(",")]
    *stamp, watts = cells
    if len(stamp) > 1 or not math.isfinite(value := float(watts)):
        raise ValueError("not a reading")
    if not stamp:
        return None, value
    try:
        seconds = float(stamp[0])
    except ValueError:
        seconds = datetime.fromisoformat(stamp[0].replace("Z", "+00:00")).timestamp()
    if not math.isfinite(seconds):
        raise ValueError("not a time")
    return seconds, value


def _has_time(line: str) -> bool:
    """Say whether a line can only be a time and watts, with a comma between them."""
    try:
        return not TWO_WAYS.fullmatch(line.strip()) and parse_line(line)[0] is not None
    except ValueError:
        return False


def _pace(arrival: Doubles, stamps: Doubles) -> float | None:
    """Return how fast stamps run against arrivals; None where too few lines tell.

    By the usual interval, so that a logger's clock that is set once does not count. Stamps that
    stand still or go back and forth have none: 0.
    """
    passed = arrival[-1] - arrival[0]
    if len(arrival) < FEWEST or passed <= 0:
        return None
    forward = np.diff(stamps)
    if (forward < 0).sum() > max(1, 0.1 * len(forward)):
        return 0.0
    return float(np.median(forward)) * len(forward) / float(passed)


def _keeps(pace: float, unit_s: float) -> bool:
    return 1 / PACE < pace * unit_s < PACE
