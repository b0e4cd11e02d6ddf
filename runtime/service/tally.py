"""What one camera has seen so far, counted by the thread that watches, read by the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.seal.times import utc_now

FPS_OVER_S = 10.0
SCORES_KEPT = 20
"""People whose mean score is told."""


class Tally(Sink):
    """Counts over all the watches of a camera.

    Args:
        on_person: called once for each person, when the first shot of it is due: then it is sure.
    """

    def __init__(self, on_person: Callable[[], None]) -> None:
        self._on_person = on_person
        self.frames = self.people = 0
        self.last_frame: datetime | None = None
        self.moved_at = time.monotonic()
        """When the watch last took an item."""
        self.scores: deque[float] = deque(maxlen=SCORES_KEPT)
        """The best of each of the last people."""
        self._best: dict[int, float] = {}
        self._today: tuple[str, int] = ("", 0)
        self._marks: deque[tuple[float, int]] = deque()

    def begin(self) -> None:
        """Take that a new watch begins: its tracks count from 0."""
        self._best.clear()
        self.moved_at = time.monotonic()

    def seen(self, seen: Seen) -> None:
        """Count a frame."""
        self.frames += 1
        self.last_frame = utc_now()
        self._take(seen)
        for track in seen.tracks.ended:
            self._rate(track)

    def beat(self, beat: Beat) -> None:
        """Take that time goes on."""
        self._take(beat)
        for track in beat.ended:
            self._rate(track)

    def end(self, end: End) -> None:
        """Count who is still in view."""
        self._take(end)
        for track in end.ended:
            self._rate(track)

    def people_today(self) -> int:
        """Return how many people there were on this day, UTC."""
        day, count = self._today
        return count if day == _day() else 0

    def fps(self) -> float:
        """Return frames a second over the last ten; to be asked every second or so."""
        now, frames = time.monotonic(), self.frames
        self._marks.append((now, frames))
        while len(self._marks) > 2 and self._marks[1][0] <= now - FPS_OVER_S:
            self._marks.popleft()
        then, before = self._marks[0]
        return (frames - before) / (now - then) if now > then else 0.0

    def _take(self, item: Seen | Beat | End) -> None:
        self.moved_at = time.monotonic()
        for shot in item.due:
            if shot.track not in self._best:
                self.people += 1
                self._today = (_day(), self.people_today() + 1)
                self._on_person()
            self._best[shot.track] = shot.score

    def _rate(self, track: int) -> None:
        score = self._best.pop(track, None)
        if score is not None:
            self.scores.append(score)


def _day() -> str:
    return utc_now().date().isoformat()
