"""How long each track was in view, by the source's own times and by no nominal rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from statistics import median

ROUNDING_S = 0.005
"""Containers round their stamps, most to a millisecond."""


STEPS_KEPT = 9
LONGEST_STEPS = 2
"""A frame counts for no longer than so many usual steps: what comes after it was an outage."""


class Presence:
    """Adds up the time for which the frames stood in which a track was detected.

    A frame stands until the next one. The newest counts for a usual step until the next comes. Who
    is new came at some time since the frame before: half a usual step counts for that. In a source
    slower than the time that makes a person one detection is enough, and so it is in a
    source of one picture, which stands for ever.
    """

    def __init__(self) -> None:
        self._seen_s: dict[int, float] = {}
        self._newest: Collection[int] = ()
        self._time_s: float | None = None
        self._steps: deque[float] = deque(maxlen=STEPS_KEPT)
        self._counted_s = 0.0
        """What the newest frame counts for, until the next comes."""
        self._all_s = 0.0
        """What all frames count for."""
        self._over = False

    def add(self, time_s: float, tracks: Collection[int]) -> None:
        """Take the time of a frame and the tracks that were detected in it."""
        if self._time_s is not None:
            step_s = time_s - self._time_s
            longest_s = LONGEST_STEPS * median(self._steps) if self._steps else step_s
            self._count(min(step_s, longest_s) - self._counted_s)
            self._steps.append(step_s)
            self._counted_s = median(self._steps)
        self._time_s, self._newest = time_s, tracks
        for track in tracks:
            self._seen_s.setdefault(track, self._counted_s / 2)
        self._count(self._counted_s)

    def _count(self, seconds: float) -> None:
        self._all_s += seconds
        for track in self._seen_s.keys() & self._newest:  # who has ended since is forgotten
            self._seen_s[track] += seconds

    def reached(self, track: int, seconds: float) -> bool:
        """Say whether a track was in view for so long, or for all of a source that is shorter."""
        if self._over:
            seconds = min(seconds, self._all_s)
        return self._seen_s.get(track, 0.0) + ROUNDING_S >= seconds

    def finish(self) -> None:
        """Take that no frame comes after the newest."""
        self._over = True

    def forget(self, track: int) -> None:
        """Drop a track that has ended."""
        self._seen_s.pop(track, None)
