"""What whole numbers cost: the integer graph of the hardware against the trained one in float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from sealshot.benchmarks.speed.throughput.tracks import Footage
from sealshot.runtime.engines import open_onnxruntime
from sealshot.runtime.types import Floats


@dataclass(frozen=True)
class Choices:
    """Of each track, the frame that either graph chooses."""

    faces: int
    tracks: int
    """Of two faces or more."""
    same: int
    """Tracks in which both choose the same frame."""
    mean_loss: float
    """Of all tracks: the trained score of its own choice less that of the other's."""
    worst_loss: float


@dataclass(frozen=True)
class Accuracy:
    """How near the integer graph is to the trained one."""

    crops: int
    spearman: float
    rms: float
    spread: float
    """Standard deviation of the trained scores of the crops."""
    choices: Choices | None
    """None where no clips were given."""


def compare_graphs(
    trained: Path, integer: Path, crops: NDArray[np.uint8], footage: Sequence[Footage]
) -> Accuracy:
    """Compare both graphs on single crops, and on the tracks of clips.

    Args:
        trained: score graph in float32.
        integer: what the hardware computes; see :mod:`sealshot.export.fpga.graph`.
        crops: ``uint8 [n, 1, 64, 64]``.
        footage: clips; may be empty.

    Raises:
        InputError: one is no score graph.
    """
    graphs = open_onnxruntime(trained), open_onnxruntime(integer)
    exact, found = (graph.score(crops) for graph in graphs)
    in_clips = [
        [np.concatenate([graph.score(crops) for crops, _ in clip.frames]) for clip in footage]
        for graph in graphs
    ]
    return Accuracy(
        crops=len(crops),
        spearman=float(spearmanr(exact, found).statistic),
        rms=float(np.sqrt(np.mean((exact - found) ** 2))),
        spread=float(exact.std()),
        choices=choices(footage, *in_clips) if footage else None,
    )


def choices(
    footage: Sequence[Footage], trained: Sequence[Floats], integer: Sequence[Floats]
) -> Choices:
    """Return what two scores choose of the tracks of clips.

    Args:
        footage: clips, one track of two faces or more in all at least.
        trained: scores of the faces of each clip, by which a choice is judged.
        integer: likewise.
    """
    losses = np.array(
        [
            right[track].max() - right[track][mine[track].argmax()]
            for clip, right, mine in zip(footage, trained, integer, strict=True)
            for track in clip.tracks
        ]
    )
    same = [
        right[track].argmax() == mine[track].argmax()
        for clip, right, mine in zip(footage, trained, integer, strict=True)
        for track in clip.tracks
    ]
    return Choices(
        faces=sum(map(len, trained)),
        tracks=len(losses),
        same=int(sum(same)),
        mean_loss=float(losses.mean()),
        worst_loss=float(losses.max()),
    )
