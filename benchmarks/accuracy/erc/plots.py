"""The curves as pictures, and the faces that each score likes most and least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.curve import Doubles, perfect
from sealshot.benchmarks.accuracy.erc.evaluate import GRID, Line
from sealshot.benchmarks.data.degradations import DEGRADATIONS
from sealshot.benchmarks.data.faces import Faces
from sealshot.benchmarks.page.figures import COLOURS, DASHES, figure, save

LIMIT = 0.3  # where the partial area ends
FACE_PX = 96
FINE = np.linspace(0, GRID[-1], 401)


def draw_curves(lines: Sequence[Line], path: Path) -> list[Path]:
    """Draw the curves of one start into one picture, SVG and PNG.

    The band is the 95 % interval of the first score; :func:`draw_bands` shows those of all.

    Args:
        lines: of one start.
        path: without suffix.
    """
    drawn = figure(4.0 + 0.1 * len(lines))
    axes = drawn.add_subplot()
    _band(axes, lines[0], COLOURS[0])
    for i, line in enumerate(lines):
        axes.plot(*steps(line), drawstyle="steps-post", label=line.score, **look(i))
    _reference_lines(axes, lines[0])
    axes.set(
        xlabel="comparisons discarded, lowest quality first, %",
        ylabel="FNMR of what is left, %",
        title=f"Error versus reject, start at {lines[0].start.label}",
        ylim=(0, _top(lines)),
    )
    drawn.legend(loc="outside lower center", ncols=2)
    return save(drawn, path)


def draw_bands(lines: Sequence[Line], path: Path) -> list[Path]:
    """Draw each score of one start with its own 95 % band, the others in grey behind it."""
    columns = min(2, len(lines))
    rows = -(-len(lines) // columns)
    drawn = figure(1.8 * rows + 0.4)
    grid = drawn.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for i, axes in enumerate(grid.flat):
        if i >= len(lines):
            axes.set_visible(False)
            continue
        for other in lines:
            axes.plot(100 * GRID, 100 * other.height, ds="steps-post", color="#cccccc", lw=0.7)
        colour = COLOURS[i % len(COLOURS)]
        _band(axes, lines[i], colour)
        axes.plot(*steps(lines[i]), drawstyle="steps-post", color=colour, lw=1.6)
        _reference_lines(axes, lines[i], label=False)
        axes.set_title(lines[i].score)
        axes.tick_params(labelbottom=True)
        axes.set_ylim(0, _top(lines))
    drawn.supxlabel("comparisons discarded, %", fontsize="medium")
    drawn.supylabel("FNMR of what is left, %", fontsize="medium")
    return save(drawn, path)


def draw_ranked(faces: Faces, qualities: Mapping[str, Doubles], path: Path) -> list[Path]:
    """Draw faces from the lowest to the highest quality, a row a score (figure 4 of the paper).

    The picture shows faces: it is written only where the user asked for it.

    Args:
        faces: of the data set.
        qualities: ``[faces]`` each.
        path: without suffix; a PNG.
    """
    rows = []
    for name, quality in qualities.items():
        order = np.argsort(quality, kind="stable")
        chosen = order[_ranks(len(order))]
        crops = [cv2.resize(faces.crops[i], (FACE_PX, FACE_PX)) for i in chosen]
        label = np.full((22, FACE_PX * len(crops)), 255, np.uint8)
        text = f"{name}: the five lowest, four between, the five highest"
        cv2.putText(label, text, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0, 1, cv2.LINE_AA)
        rows += [label, np.hstack(crops)]
    target = path.with_name(path.name + ".png")
    cv2.imwrite(str(target), np.vstack(rows))
    return [target]


def draw_falls(fell: Mapping[str, Doubles], path: Path) -> list[Path]:
    """Draw the share of faces whose score falls, a map a score: degradations by severity.

    Args:
        fell: ``[degradations, 3]`` each, 0 to 1.
        path: without suffix.
    """
    columns = min(2, len(fell))
    rows = -(-len(fell) // columns)
    drawn = figure(0.6 + 0.3 * len(DEGRADATIONS) * rows)
    grid = drawn.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(fell) :]:
        axes.set_visible(False)
    for axes, (name, shares) in zip(grid.flat, fell.items(), strict=False):
        axes.imshow(shares, cmap="RdYlBu", vmin=0, vmax=1, aspect="auto", alpha=0.8)
        for (row, column), share in np.ndenumerate(shares):
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center")
        axes.set_title(name)
        axes.set_xticks(range(3), ("mild", "middle", "harsh"))
        axes.set_yticks(range(len(DEGRADATIONS)), [d.name for d in DEGRADATIONS])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    drawn.suptitle("Share of faces whose score falls\nwhen the picture gets worse, %")
    return save(drawn, path)


def steps(line: Line) -> tuple[Doubles, Doubles]:
    """Return a curve in percent, ``[401]`` each: as fine as the picture."""
    return 100 * FINE, 100 * line.curve.at(FINE)


def look(index: int) -> dict[str, Any]:
    """Return colour and stroke of the score at ``index``: the first one stands out."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": DASHES[index // len(COLOURS) % len(DASHES)],
        "linewidth": 2.4 if index == 0 else 1.3,
    }


def _band(axes: Any, line: Line, colour: str) -> None:
    low, high = 100 * line.band
    axes.fill_between(100 * GRID, low, high, step="post", color=colour, alpha=0.15, linewidth=0)


def _reference_lines(axes: Any, line: Line, *, label: bool = True) -> None:
    start = float(line.curve.fnmr[0])
    names = ("PERFECT", "blind (flat)") if label else (None, None)
    axes.plot(100 * FINE, 100 * perfect(start, FINE), "k--", lw=1, label=names[0])
    axes.axhline(100 * start, color="k", ls=":", lw=1, label=names[1])
    axes.axvline(100 * LIMIT, color="#bbbbbb", lw=0.8, zorder=0)
    axes.set_xlim(0, 100 * GRID[-1])


def _ranks(count: int) -> NDArray[np.int64]:
    """Return the ranks to show: both ends, and a few between; fewer where there are few."""
    between = np.linspace(0, count - 1, 6).round().astype(int)[1:-1]
    return np.unique(
        np.concatenate([np.arange(5), between, np.arange(count - 5, count)]).clip(0, count - 1)
    )


def _top(lines: Sequence[Line]) -> float:
    return 1.1 * max(float(steps(line)[1].max()) for line in lines)
