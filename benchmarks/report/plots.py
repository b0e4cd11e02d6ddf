"""Pictures of the results, as SVG to set into the page; narrow, so that a phone shows all."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from sealshot.benchmarks.accuracy.erc.page import inline_figure

matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
matplotlib.rcParams["svg.hashsalt"] = "sealshot"  # the same figure is the same file

COLOURS = {"ours": "#0b6e99", "same score": "#8fb8cc", "peer": "#d1495b", "other": "#c7861f"}
LINES = ("#0b6e99", "#d1495b", "#4f8a4c", "#8d5fb3", "#c7861f", "#6b4f3a", "#d66ba0", "#666666")
WIDTH = 5.2  # inches

Bar = tuple[str, str, float, float, float]
"""Name, colour of COLOURS, value, lowest, highest."""


def bars(entries: Sequence[Bar], label: str, *, log: bool = False) -> str:
    """Draw horizontal bars with their spread, the first on top."""
    figure = Figure(figsize=(WIDTH, 0.7 + 0.27 * len(entries)), layout="constrained")
    axes = figure.add_subplot()
    for i, (_, kind, value, low, high) in enumerate(entries):
        axes.barh(i, value, color=COLOURS[kind], height=0.7)
        axes.plot([low, high], [i, i], color="#222222", lw=1)
        end = (max(high, value), i)
        axes.annotate(
            _short(value), end, (5, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(range(len(entries)), [entry[0] for entry in entries], fontsize=8)
    axes.invert_yaxis()
    if log:
        axes.set_xscale("log")
        axes.set_xlim(0.5 * min(e[3] for e in entries), 4 * max(e[4] for e in entries))
    else:
        axes.margins(x=0.15)
    _finish(axes, label)
    return svg(figure)


def lines(
    curves: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str, *, log: bool = False
) -> str:
    """Draw curves over batch sizes."""
    figure = Figure(figsize=(WIDTH, 3.6 + 0.16 * len(curves)), layout="constrained")
    axes = figure.add_subplot()
    for i, (name, points) in enumerate(curves.items()):
        style = ("-", "--", ":")[(i // len(LINES)) % 3]
        axes.plot(
            *zip(*points, strict=True), style, marker="o", ms=3, color=LINES[i % 8], label=name
        )
    ticks = sorted({x for points in curves.values() for x, _ in points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    if log:
        axes.set_yscale("log")
    axes.set_ylabel(up, fontsize=8)
    _finish(axes, across)
    figure.legend(loc="outside lower center", frameon=False, fontsize=8, ncols=2)
    return svg(figure)


def stacks(entries: Mapping[str, Mapping[str, float]], label: str) -> str:
    """Draw what adds up, a bar an entry."""
    figure = Figure(figsize=(WIDTH, 1.3 + 0.4 * len(entries)), layout="constrained")
    axes = figure.add_subplot()
    parts = list(dict.fromkeys(part for entry in entries.values() for part in entry))
    for i, entry in enumerate(entries.values()):
        left = 0.0
        for k, part in enumerate(parts):
            value = entry.get(part, 0.0)
            axes.barh(i, value, left=left, color=LINES[k % 8], label=part if i == 0 else None)
            left += value
    axes.set_yticks(range(len(entries)), list(entries), fontsize=8)
    axes.invert_yaxis()
    _finish(axes, label)
    figure.legend(loc="outside lower center", frameon=False, fontsize=8, ncols=6)
    return svg(figure)


def svg(figure: Figure) -> str:
    """Return a figure as an element of a page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return inline_figure(text, f"f{hashlib.sha256(text.encode()).hexdigest()[:8]}")


def _finish(axes: Any, label: str) -> None:
    axes.set_xlabel(label, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
