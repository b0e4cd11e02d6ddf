"""Pictures of results: one look, narrow enough and large enough in print that a phone shows all."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

COLOURS = ("#0b6e99", "#d1495b", "#4f8a4c", "#8d5fb3", "#c7861f", "#6b4f3a", "#d66ba0", "#666666")
DASHES = ("-", "--", "-.")
"""Of lines whose colour comes round again."""
WIDTH = 4.8
"""Inches; a phone shows 3.7 of its own, so that text of 9.5 points has 7.5 there."""

matplotlib.rcParams.update(
    {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "sealshot",  # the same figure is the same file
        "font.size": 9.5,
        "axes.titlesize": "medium",
        "figure.titlesize": "medium",
        "legend.fontsize": "small",
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


def figure(height: float) -> Figure:
    """Return an empty figure of the width that every page has room for; ``height`` in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def save(drawn: Figure, path: Path) -> list[Path]:
    """Write a figure as SVG and PNG; ``path`` has no suffix."""
    paths = [path.with_name(f"{path.name}.{kind}") for kind in ("svg", "png")]
    drawn.savefig(paths[0], metadata={"Date": None})
    drawn.savefig(paths[1], dpi=150)
    return paths


def svg(drawn: Figure) -> str:
    """Return a figure as an element of a page."""
    out = io.StringIO()
    drawn.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return inline(text, f"f{hashlib.sha256(text.encode()).hexdigest()[:8]}")


def inline(text: str, name: str) -> str:
    """Return an SVG as an element of a page; its ids get ``name``, so that no two share one."""
    for mark in ('id="', 'href="#', "url(#"):
        text = text.replace(mark, f"{mark}{name}-")
    return f"<figure>{text[text.index('<svg') :]}</figure>"
