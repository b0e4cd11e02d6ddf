"""What every tracker does: it gives faces to tracks, and ends tracks that stay away."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.types import Face, Track, Tracks

Motion = TypeVar("Motion")
"""What a tracker remembers of where a face was and how it moved."""

STEPS_KEPT = 9
SLOWEST_STEP_S = 60.0
"""Pictures that are further apart than this are no video of anybody."""
LOST_STEPS = 2.5
"""A track outlives the next two frames, however slow the source is."""
MISSED_STEPS = 1.5
"""A track that missed a frame, and had little time to show itself, does not."""

Pairs = list[tuple[int, int]]
"""Positions of a track and of the face that continues it."""


@dataclass
class Open(Generic[Motion]):
    """A track that has not ended."""

    id: int
    hits: int
    first_s: float
    seen_s: float
    """When it was last seen."""
    motion: Motion


class BoxTracker(ABC, Generic[Motion]):
    """Follows faces from frame to frame by their boxes alone; it never sees a picture.

    Identifiers count up from 1 and are never used again. The order of the faces does not matter.
    A track is reported from its first detection on. It ends when it has not been seen for longer
    than ``lost_s``, or for longer than :meth:`_patience_s` and at least one frame; but neither time
    is ever shorter than the source needs for a frame or two.
    """

    def __init__(self, lost_s: float) -> None:
        self._lost_s = lost_s
        self._open: list[Open[Motion]] = []
        self._next_id = 1
        self._time_s = -math.inf
        self._steps: deque[float] = deque(maxlen=STEPS_KEPT)
        self._step_s = 0.0
        """Seconds from a frame to the next, as the last ones came."""

    def update(self, time_s: float, faces: Sequence[Face]) -> Tracks:
        """Take the faces of one frame.

        Args:
            time_s: when, in seconds; no earlier than the last time.
            faces: what the detector found. A box that is not finite or has no area is left out.

        Returns:
            The tracks that have a face in this frame, by identifier, each face at most once; and
            the identifiers of tracks that have ended, each told once.

        Raises:
            ValueError: the time runs back or is not finite.
        """
        if not math.isfinite(time_s) or time_s < self._time_s:
            raise ValueError(f"frame at {time_s} s after one at {self._time_s} s")
        if self._time_s > -math.inf:
            self._steps.append(time_s - self._time_s)
            self._step_s = min(median(self._steps), SLOWEST_STEP_S)
        over = [self._is_over(track, time_s) for track in self._open]
        ended = tuple(track.id for track, ends in zip(self._open, over, strict=True) if ends)
        self._open = [track for track, ends in zip(self._open, over, strict=True) if not ends]
        self._time_s = time_s
        faces = sorted(filter(_has_area, faces), key=_order)
        pairs = self._match(time_s, self._open, faces) if self._open and faces else []
        seen = [(self._open[track], faces[face]) for track, face in pairs]
        if seen:
            motions = self._move(time_s, [track for track, _ in seen], [face for _, face in seen])
            for (track, _), motion in zip(seen, motions, strict=True):
                track.motion, track.seen_s, track.hits = motion, time_s, track.hits + 1
        taken = {face for _, face in pairs}
        for at, face in enumerate(faces):
            if at not in taken and self._may_start(face):
                self._open.append(Open(self._next_id, 1, time_s, time_s, self._start(face)))
                self._next_id += 1
                seen.append((self._open[-1], face))
        seen.sort(key=lambda pair: pair[0].id)
        return Tracks(tuple(Track(t.id, face, t.hits) for t, face in seen), ended)

    def advance(self, time_s: float) -> tuple[int, ...]:
        """Take that it is ``time_s`` now and no frame came; return the tracks that ended.

        Only who was not seen for longer than ``lost_s``, and two frames, ends: nobody missed one.

        Raises:
            ValueError: the time runs back or is not finite.
        """
        if not math.isfinite(time_s) or time_s < self._time_s:
            raise ValueError(f"{time_s} s after a frame at {self._time_s} s")
        longest_s = max(self._lost_s, LOST_STEPS * self._step_s)
        over = [track for track in self._open if time_s - track.seen_s > longest_s]
        self._open = [track for track in self._open if track not in over]
        return tuple(track.id for track in over)

    def flush(self) -> tuple[int, ...]:
        """End all tracks and return their identifiers."""
        ended = tuple(t.id for t in self._open)
        self._open = []
        return ended

    @abstractmethod
    def _match(self, time_s: float, tracks: Sequence[Open[Motion]], faces: Sequence[Face]) -> Pairs:
        """Say which face continues which track; neither list is empty."""

    @abstractmethod
    def _start(self, face: Face) -> Motion:
        """Return the motion of a track that begins."""

    @abstractmethod
    def _move(
        self, time_s: float, tracks: Sequence[Open[Motion]], faces: Sequence[Face]
    ) -> Sequence[Motion]:
        """Return the motions of tracks after their next faces, one each; neither list is empty."""

    def _is_over(self, track: Open[Motion], time_s: float) -> bool:
        away_s = time_s - track.seen_s
        missed_frame = track.seen_s < self._time_s
        return away_s > max(self._lost_s, LOST_STEPS * self._step_s) or (
            missed_frame and away_s > max(self._patience_s(track), MISSED_STEPS * self._step_s)
        )

    def _patience_s(self, track: Open[Motion]) -> float:
        """Return how long a track may be away if it was not in the last frame either."""
        return self._lost_s

    def _may_start(self, face: Face) -> bool:
        """Say whether a face without a track begins one."""
        return True


def boxes_of(faces: Sequence[Face]) -> NDArray[np.float64]:
    """Return the boxes, ``float64 [n, 4]``."""
    return np.array([face.box for face in faces], np.float64).reshape(-1, 4)


def _has_area(face: Face) -> bool:
    x0, y0, x1, y1 = face.box.tolist()
    return math.isfinite(x0 + y0 + x1 + y1) and x1 > x0 and y1 > y0


def _order(face: Face) -> tuple[float, ...]:
    """Sort key that leaves no two different faces in an order that the caller chose."""
    return *face.box.tolist(), face.score, *face.landmarks.ravel().tolist()
