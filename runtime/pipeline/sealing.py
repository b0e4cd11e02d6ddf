"""The sink that seals: each shot that is due goes into the vault, and the vault keeps its time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime

from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.pipeline.stages import Stopwatch
from sealshot.runtime.seal.originals import Originals
from sealshot.runtime.seal.payload import Origin, PictureType
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.keeper import Keeper

PEOPLE_KEPT = 10_000
WAITING = 8
"""Frames with shots that may wait to be sealed: on a slow disk one takes as long as ten frames."""


@dataclass(frozen=True)
class Person:
    """The sealed best shot of one person."""

    track: int
    frames_seen: int
    score: float
    percentile: float
    frame: int
    time_s: float
    object_id: str


class VaultSink(Sink):
    """Seals shots into a vault; a person's better shot takes the place of the lesser one.

    What is due is sealed by a thread: while it waits for the disk the frames go on, as long as no
    more than :data:`WAITING` wait. What fails there is raised by a later call.

    Args:
        keeper: of the vault.
        origin: where the shots come from.
        picture: how they are encoded.
        stopwatch: takes the time of sealing.
    """

    def __init__(
        self, keeper: Keeper, origin: Origin, picture: PictureType, stopwatch: Stopwatch
    ) -> None:
        self._keeper, self._origin = keeper, origin
        self._picture, self._stopwatch = picture, stopwatch
        self.people: dict[int, Person] = {}
        """By track; at most the last ``PEOPLE_KEPT``: a camera runs for years."""
        self.count = 0
        """People who have a sealed shot."""
        self._thread = ThreadPoolExecutor(1, "sealing")
        self._waiting = deque[Future[None]]()

    def seen(self, seen: Seen) -> None:
        """Seal what is due, and forget what is over."""
        self._take(seen.due)

    def beat(self, beat: Beat) -> None:
        """Seal what is due, and forget what is over."""
        self._take(beat.due)

    def end(self, end: End) -> None:
        """Seal the last shots."""
        self._take(end.due)
        self._settle()
        self.close()

    def put_originals(self, part: Originals, utc: datetime) -> str:
        """See :meth:`Keeper.put_originals`."""
        self._settle()
        return self._keeper.put_originals(part, self._origin, utc)

    def close(self) -> None:
        """Wait until what is due is sealed."""
        self._thread.shutdown()

    def _take(self, due: Sequence[Shot]) -> None:
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft().result()
        if due:
            self._settle(WAITING - 1)
            # what it logs is said of the same camera
            self._waiting.append(self._thread.submit(copy_context().run, self._seal, due))
        elif not self._waiting:
            self._keeper.tick()

    def _settle(self, most: int = 0) -> None:
        """Wait until no more than so many wait, and raise what failed."""
        while len(self._waiting) > most:
            self._waiting.popleft().result()

    def _seal(self, due: Sequence[Shot]) -> None:
        self._keeper.tick()
        for shot in due:
            with self._stopwatch.time("seal"):
                before = self.people.pop(shot.track, None)
                object_id = self._keeper.put(
                    shot, self._origin, self._picture, before.object_id if before else None
                )
            self.count += before is None
            if len(self.people) == PEOPLE_KEPT:
                del self.people[next(iter(self.people))]
            self.people[shot.track] = Person(
                track=shot.track,
                frames_seen=shot.frames_seen,
                score=shot.score,
                percentile=shot.percentile,
                frame=shot.frame,
                time_s=shot.time_s,
                object_id=object_id,
            )
