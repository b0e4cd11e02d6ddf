"""What stands in the cells of the tables of RESULTS.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Rows = Iterable[Sequence[str]]


def read_result(results: Path, name: str) -> Any:
    """Return a result file of the folder ``results``."""
    return json.loads((results / f"{name}.json").read_text())


def markdown_table(heads: Sequence[str], rows: Rows) -> str:
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return re.sub(r"\|  (?=\|)", "| ", text)


def faces_per_s(row: Any) -> float:
    """Return the median rate with one call at a time."""
    return float(row["closed"]["faces_per_s"]["median"])


def span(spread: Any) -> str:
    """Return lowest and highest."""
    return f"{short(spread['low'])} to {short(spread['high'])}"


def short(value: float) -> str:
    """Return a number with the digits that matter."""
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}"


def times(spread: Any) -> str:
    """Return a ratio."""
    return f"{spread['median']:.2f}x" if spread else ""


def bold(text: str, is_ours: bool) -> str:
    """Return text, in bold where it is ours."""
    return f"**{text}**" if is_ours else text


def measured(spread: Any, digits: int) -> str:
    """Return median, lowest and highest."""
    if spread is None:
        return "not measured"
    median, low, high = (f"{spread[k]:.{digits}f}" for k in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def millions(value: float | None) -> str:
    """Return millions; nothing where it was not measured."""
    return "" if value is None else f"{value / 1e6:.0f}" if value >= 1e7 else f"{value / 1e6:.1f}"
