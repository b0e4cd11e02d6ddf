"""What lies behind the figures of drawn faces, as pictures that show nobody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.deid.drawn import Seen
from sealshot.benchmarks.accuracy.deid.pictures import FACE_PX
from sealshot.benchmarks.accuracy.deid.recognition import Judge, auc, d_prime, distances
from sealshot.benchmarks.page.figures import COLOURS, figure, save

BINS = np.linspace(0, 2, 81).tolist()
"""Of distances between unit vectors."""


def draw_plots(judge: Judge, seen: Seen, folder: Path) -> list[Path]:
    """Draw figures 5, 6 and 7 of UU-Net's paper into a folder, SVG and PNG, and return their paths.

    Args:
        judge: a matcher, and the plain faces.
        seen: what it and MTCNN made of drawn ones.
        folder: that is there.
    """
    return [
        *_confidence(seen, folder / "confidence"),
        *_distances(judge, seen, folder / "distances"),
        *_tracks(judge, seen, folder / "tracks"),
    ]


def _confidence(seen: Seen, path: Path) -> list[Path]:
    drawn = figure(4.0)
    axes = drawn.add_subplot()
    axes.scatter(
        seen.plain.confidence(), seen.frames[0].confidence(), s=8, alpha=0.5, color=COLOURS[0]
    )
    axes.set(
        xlabel="MTCNN's confidence, plain",
        ylabel="drawn over; 0: not found",
        title=f"Faces of {FACE_PX} px",
    )
    return save(drawn, path)


def _distances(judge: Judge, seen: Seen, path: Path) -> list[Path]:
    drawn = figure(4.6)
    upper, lower = drawn.subplots(2, 1, sharex=True)
    other = ~np.eye(len(judge.faces), dtype=bool)
    for axes, name, embedding in (
        (upper, "plain against plain", judge.plain),
        (lower, "plain against drawn", seen.frames[0].embedding),
    ):
        across = distances(judge.plain, embedding)
        genuine, impostor = across[judge.same & other], across[~judge.same]
        _histogram(axes, {"one person": genuine, "two people": impostor})
        told = f"AUC {auc(genuine, impostor):.3f}, d' {d_prime(genuine, impostor):.2f}"
        axes.set_title(f"{name}: {told}")
        axes.axvline(judge.limit, color=COLOURS[-1], ls=":")
    upper.legend()
    lower.set_xlabel("distance; dotted: up to here one person, at FMR 1e-3 of plain faces")
    return save(drawn, path)


def _tracks(judge: Judge, seen: Seen, path: Path) -> list[Path]:
    drawn = figure(3.4)
    axes = drawn.add_subplot()
    tracks = seen.tracks()
    sets = {
        "from frame to frame of a track": seen.steps(),
        "one picture in two tracks": np.diagonal(tracks),
        "two people": tracks[~judge.same],
    }
    _histogram(axes, sets)
    axes.axvline(judge.limit, color=COLOURS[-1], ls=":")
    axes.set(xlabel="distance of drawn faces", title="Within tracks and between them")
    axes.legend()
    return save(drawn, path)


def _histogram(axes: Axes, sets: Mapping[str, NDArray[np.float64]]) -> None:
    for colour, (name, values) in zip(COLOURS, sets.items(), strict=False):
        axes.hist(values, BINS, density=True, histtype="step", label=name, color=colour)
    axes.set_ylabel("density")
