"""Open and closed eyes in the frames of a clip, as a person saw them, and what scores make of it.

A file ``CLIP.csv`` has the columns ``first``, ``last`` and ``eyes``: from the one frame to the
other, both included, the person of the clip's longest track has the eyes ``open``, or one of them
``closed`` or both. Frames between, of which nobody can say, stand in no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.choice import Shots
from sealshot.benchmarks.accuracy.erc.curve import Doubles
from sealshot.benchmarks.data.rows import read_rows
from sealshot.runtime.cli.terminal import say, table
from sealshot.runtime.errors import InputError

OPEN, CLOSED, UNKNOWN = "open", "closed", "not labelled"
COLUMNS = f"the columns are first,last,eyes, and eyes are {OPEN} or {CLOSED}"


@dataclass(frozen=True, eq=False)
class Eyes:
    """What scores make of the eyes of one track that has both, open and closed ones."""

    source: str
    opened: int
    """Frames with open eyes."""
    closed: int
    chosen: tuple[str, ...]
    """By score: the eyes in the frame of the highest score, one of the three words."""
    ordered: Doubles
    """``[scores]``: share of the pairs of an open and a closed frame in which the open one has the
    higher score. Half is chance."""


def read_eyes(file: Path) -> list[tuple[int, int, str]]:
    """Read the rows of a file of labels.

    Raises:
        InputError: it cannot be read, or a row is something else.
    """
    rows = read_rows(
        file,
        lambda row: (int(row["first"]), int(row["last"]), row["eyes"]),
        "holds no labels of eyes",
        COLUMNS,
    )
    for first, last, eyes in rows:
        if eyes not in (OPEN, CLOSED) or not 0 <= first <= last:
            raise InputError(f"{file} says {first},{last},{eyes}", hint=COLUMNS)
    return rows


def judge_eyes(shots: Shots, labels: Sequence[tuple[int, int, str]]) -> Eyes | None:
    """Say what scores make of the eyes of a track; None unless it has open and closed ones."""
    eyes: NDArray[np.str_] = np.full(len(shots.frame), UNKNOWN)
    for first, last, state in labels:
        eyes[(shots.frame >= first) & (shots.frame <= last)] = state
    opened, closed = eyes == OPEN, eyes == CLOSED
    pairs = int(opened.sum() * closed.sum())
    if not pairs:
        return None
    return Eyes(
        source=shots.source,
        opened=int(opened.sum()),
        closed=int(closed.sum()),
        chosen=tuple(map(str, eyes[shots.chosen()])),
        ordered=shots.ordered(opened, closed) / pairs,
    )


def print_eyes(names: Sequence[str], tracks: Sequence[Eyes]) -> None:
    """Print how often each score chooses closed eyes, and puts open ones above closed ones."""
    say(
        f"Tracks with open and closed eyes: {len(tracks)}, of {sum(t.opened for t in tracks)} open "
        f"and {sum(t.closed for t in tracks)} closed frames"
    )
    if not tracks:
        return
    table(
        [
            "score",
            *(f">chose: {word}" for word in (OPEN, CLOSED, UNKNOWN)),
            ">open above closed, %",
        ],
        [
            [
                name,
                *(
                    str(sum(t.chosen[i] == word for t in tracks))
                    for word in (OPEN, CLOSED, UNKNOWN)
                ),
                f"{100 * np.mean([t.ordered[i] for t in tracks]):.0f}",
            ]
            for i, name in enumerate(names)
        ],
    )
