"""Bars and curves of the report, as SVG to set into the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sealshot.benchmarks.page.figures import COLOURS, DASHES, figure, svg

KINDS = {"ours": "#0b6e99", "same score": "#8fb8cc", "peer": "#d1495b", "other": "#c7861f"}

Bar = tuple[str, str, float, float, float]
"""Name, one of KINDS, value, lowest, highest."""


def bars(entries: Sequence[Bar], label: str, *, log: bool = False) -> str:
    """Draw horizontal bars with their spread, the first on top."""
    drawn = figure(0.7 + 0.29 * len(entries))
    axes = drawn.add_subplot()
    for i, (_, kind, value, low, high) in enumerate(entries):
        axes.barh(i, value, color=KINDS[kind], height=0.7)
        axes.plot([low, high], [i, i], color="#222222", lw=1)
        end = (max(high, value), i)
        axes.annotate(_short(value), end, (5, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(entries)), [entry[0] for entry in entries])
    axes.invert_yaxis()
    if log:
        axes.set_xscale("log")
        axes.set_xlim(0.5 * min(e[3] for e in entries), 4 * max(e[4] for e in entries))
    else:
        axes.margins(x=0.15)
    axes.set_xlabel(label)
    return svg(drawn)


def lines(
    curves: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str, *, log: bool = False
) -> str:
    """Draw curves over batch sizes."""
    drawn = figure(3.4 + 0.17 * len(curves))
    axes = drawn.add_subplot()
    for i, (name, points) in enumerate(curves.items()):
        colour, dash = COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]
        axes.plot(*zip(*points, strict=True), dash, marker="o", ms=3, color=colour, label=name)
    ticks = sorted({x for points in curves.values() for x, _ in points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    if log:
        axes.set_yscale("log")
    axes.set_ylabel(up)
    axes.set_xlabel(across)
    drawn.legend(loc="outside lower center", ncols=2)
    return svg(drawn)


def stacks(entries: Mapping[str, Mapping[str, float]], label: str) -> str:
    """Draw what adds up, a bar an entry."""
    drawn = figure(1.4 + 0.4 * len(entries))
    axes = drawn.add_subplot()
    parts = list(dict.fromkeys(part for entry in entries.values() for part in entry))
    for i, entry in enumerate(entries.values()):
        left = 0.0
        for k, part in enumerate(parts):
            value = entry.get(part, 0.0)
            axes.barh(
                i, value, left=left, color=COLOURS[k % len(COLOURS)], label=part if i == 0 else None
            )
            left += value
    axes.set_yticks(range(len(entries)), list(entries))
    axes.invert_yaxis()
    axes.set_xlabel(label)
    drawn.legend(loc="outside lower center", ncols=4)
    return svg(drawn)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
