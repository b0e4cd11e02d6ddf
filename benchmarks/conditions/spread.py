"""A figure that was measured several times: its median, and how far it spread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest of several measurements."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Iterable[float]) -> Spread:
    """Sum up at least one measurement."""
    all_of_them = [float(value) for value in values]
    return Spread(median(all_of_them), min(all_of_them), max(all_of_them), len(all_of_them))
