"""The roofline as a picture: the layers of a score under the roofs of the boards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.board.bounds.command import Projection
from sealshot.benchmarks.board.bounds.roofs import Roof
from sealshot.benchmarks.page.figures import COLOURS, figure, save
from sealshot.benchmarks.speed.graph_cost import Layer

MOST_ROOFS = 8


def draw_roofline(
    projection: Projection, layers: Sequence[Layer], precision: str, path: Path
) -> list[Path]:
    """Draw the roofs of a precision, and where each layer stands under the highest and the lowest.

    Args:
        projection: its bounds give the roofs; more than eight are thinned out by their height.
        layers: of the score.
        precision: which one.
        path: without suffix; an SVG and a PNG.
    """
    drawn = figure(5.2)
    axes = drawn.add_subplot()
    shown = _thin([b.roof for b in projection.bounds if b.roof.precision == precision])
    intensity = np.array([layer.intensity(precision) for layer in layers])
    x = np.geomspace(min(0.5, intensity.min() / 2), max(2000.0, 4 * intensity.max()), 400)
    for i, roof in enumerate(shown):
        colour, ends = COLOURS[i % len(COLOURS)], i in (0, len(shown) - 1)
        label = f"{roof.board}, {roof.mode} ({roof.basis})"
        axes.plot(x, reach(roof, x), color=colour, lw=1.8 if ends else 1.1, label=label)
        if ends:
            size = 8 + 140 * np.array([layer.macs for layer in layers]) / max(
                layer.macs for layer in layers
            )
            axes.scatter(
                intensity, reach(roof, intensity), s=size, color=colour, alpha=0.55, linewidths=0
            )
    for check in projection.checks:
        if check.bound.roof.precision != precision:
            continue
        operations = 2 * sum(layer.macs for layer in layers)
        at = operations / sum(layer.bytes(precision) for layer in layers)
        measured = check.faces_per_s_best * operations / projection.batch / 1e9
        label = f"measured here: {check.faces_per_s_best:,.0f} faces/s"
        axes.plot([at], [measured], "k*", ms=11, label=label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="operations per byte through memory; a disc is a layer,\nits area its share",
        ylabel="10⁹ operations a second, at most",
        title=f"{projection.score}, {precision}, batch {projection.batch}: an upper bound",
    )
    axes.grid(which="major", color="#e4e4e4", lw=0.6)
    if shown:
        drawn.legend(loc="outside lower center")
    else:
        axes.text(0.5, 0.5, f"no board has a {precision} rate", transform=axes.transAxes)
    return save(drawn, path)


def reach(roof: Roof, intensity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 10^9 operations a second that a roof allows at intensities ``[n]``."""
    return np.minimum(1e3 * roof.tops, roof.memory_gb_s * intensity)


def _thin(roofs: Sequence[Roof]) -> list[Roof]:
    """Return at most eight roofs, from the highest to the lowest, the measured one among them."""
    ranked = sorted(roofs, key=lambda roof: -roof.tops)
    if len(ranked) <= MOST_ROOFS:
        return ranked
    places = set(np.linspace(0, len(ranked) - 1, MOST_ROOFS - 1).round().astype(int).tolist())
    return [r for i, r in enumerate(ranked) if i in places or r.basis == "measured here"]
