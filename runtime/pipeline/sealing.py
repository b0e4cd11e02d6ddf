"""The sink that seals: each shot that is due goes into the vault, and the vault keeps its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.pipeline.stages import Stopwatch
from sealshot.runtime.seal.payload import Origin, PictureType
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.keeper import Keeper

PEOPLE_KEPT = 10_000


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

    def seen(self, seen: Seen) -> None:
        """Seal what is due, and forget what is over."""
        self._take(seen.due)

    def beat(self, beat: Beat) -> None:
        """Seal what is due, and forget what is over."""
        self._take(beat.due)

    def end(self, end: End) -> None:
        """Seal the last shots."""
        self._take(end.due)

    def _take(self, due: Sequence[Shot]) -> None:
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
