"""Trackers: the faces of consecutive frames in, tracks out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from sealshot.runtime.errors import InputError
from sealshot.runtime.track.euclidean import Euclidean
from sealshot.runtime.track.likelihood import LikelihoodTracker
from sealshot.runtime.types import Face, Tracks

TRACKERS: dict[str, Callable[..., Tracker]] = {
    "bytetrack": LikelihoodTracker,
    "euclidean": Euclidean,
}


class Tracker(Protocol):
    """Follows faces from frame to frame by their boxes alone; it never sees a picture."""

    def update(self, time_s: float, faces: Sequence[Face]) -> Tracks:
        """Take the faces of one frame, in any order; ``time_s`` must not run back.

        Returns the tracks seen in this frame, and each track that ended, once.
        """

    def advance(self, time_s: float) -> tuple[int, ...]:
        """Take that it is ``time_s`` now and no frame came; return the tracks that ended."""

    def flush(self) -> tuple[int, ...]:
        """End all tracks and return their identifiers."""


def open_tracker(name: str, *, lost_s: float | None = None) -> Tracker:
    """Open the tracker that ``name`` names.

    Args:
        name: ``bytetrack`` (:class:`LikelihoodTracker`), or ``euclidean`` (the paper's).
        lost_s: seconds without a detection after which a track ends; None takes the tracker's own.

    Raises:
        InputError: there is no such tracker, or ``lost_s`` is no duration.
    """
    if name not in TRACKERS:
        raise InputError(
            f"there is no tracker '{name}'", hint="use " + " or ".join(f"`{n}`" for n in TRACKERS)
        )
    if lost_s is None:
        return TRACKERS[name]()
    if not 0 <= lost_s < math.inf:
        raise InputError(f"a track cannot be lost for {lost_s} s", hint="give seconds, 0 or more")
    return TRACKERS[name](lost_s=lost_s)
