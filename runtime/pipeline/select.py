"""Selection: per track the frame with the highest score, never a threshold.

A score is the quality, less what each component is behind the best of the track so far, such as
the most open eyes. What frames are compared by, their :attr:`Ratings.order`, leaves that best out:
it is one number for all frames of a track, so that the best frame stays the best when it changes.
Only what is told of a shot takes it in.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import cv2
import numpy as np

from sealshot.runtime.crops import cut, cut_inside, square
from sealshot.runtime.pipeline.presence import Presence
from sealshot.runtime.pipeline.settings import Choice, Emit
from sealshot.runtime.pipeline.visibility import tell
from sealshot.runtime.types import Floats, Frame, Image, Ratings, Shot, Track, Tracks

CLIP_PX = 256
CLIP_JPEG_QUALITY = 85
SET = timedelta(seconds=2)
"""A wall clock that is off by more than before was set meanwhile."""


@dataclass(eq=False)
class _Best:
    """One track: its best view so far."""

    first_s: float
    components: Floats
    most: Floats
    """The highest of each component in any frame so far."""
    order: float = -np.inf
    frame: int = -1
    time_s: float = 0.0
    utc: datetime = datetime.min
    """By the system's clock, as that was set then."""
    at_s: float = 0.0
    """By a clock that nobody sets."""
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    image: Image | None = None
    landmarks: Floats | None = None
    """In pixels of the image."""
    hits: int = 0
    worst: float = np.inf
    emitted: tuple[int, int] | None = None
    """The version that was emitted last."""
    recent: deque[tuple[float, bytes]] = field(default_factory=deque)
    clip: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def version(self) -> tuple[int, int]:
        """The best frame, and how much of the clip around it is there."""
        return self.frame, len(self.clip)

    def score(self, order: float) -> float:
        """Return the score of a frame by its place in the order."""
        return order - float(self.most.sum())


class Selector:
    """Keeps the best view of each track and says when it is due to be sealed."""

    def __init__(
        self,
        percentile: Callable[[float], float],
        emit: Emit = Emit(),
        choice: Choice = Choice(),
        min_seen_s: float = 0.0,
        estimates: bool = False,
        explain: Callable[[Floats, Floats], str] = lambda _components, _most: "",
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with no track.

        Args:
            percentile: from a score to its percentile, as the manifest knows it.
            emit: when a shot is due.
            choice: what is kept.
            min_seen_s: a track that was in view for less is a passing false alarm, not a person;
                see :class:`Presence`.
            estimates: whether scores that cannot win are estimates, see ``Scorer.estimates``.
            explain: what else counted beside quality, see ``Scorer.explain``.
            now: the wall clock.
            monotonic: seconds, by a clock that nobody sets.
        """
        self._percentile, self._emit, self._choice = percentile, emit, choice
        self._min_seen_s, self._explain = min_seen_s, explain
        self._now, self._monotonic = now, monotonic
        self._about = "about " if estimates else ""
        self._presence = Presence()
        self._tracks: dict[int, _Best] = {}
        self.passing = 0
        """Tracks that ended before they were in view for long enough to be a person."""
        self._people_gone = 0

    @property
    def people_seen(self) -> int:
        """How many people there were, those in view included."""
        return self._people_gone + len(self.people)

    @property
    def people(self) -> set[int]:
        """The open tracks that were in view for long enough to be a person."""
        return {id for id in self._tracks if self._is_person(id)}

    def _is_person(self, id: int) -> bool:
        return self._presence.reached(id, self._min_seen_s)

    def update(self, frame: Frame, tracks: Tracks, ratings: Ratings) -> list[Shot]:
        """Take the ratings of one frame's tracks and return the shots that are due.

        Args:
            frame: the frame.
            tracks: its tracks; ``tracks.ended`` are closed and their memory is freed.
            ratings: one for each of ``tracks.seen``.
        """
        orders = ratings.order.tolist()
        for track, order, components in zip(tracks.seen, orders, ratings.components, strict=True):
            self._see(frame, track, order, components)
        self._presence.add(frame.time_s, {track.id for track in tracks.seen})
        return self.advance(frame.time_s, tracks.ended)

    def advance(self, time_s: float, ended: Sequence[int]) -> list[Shot]:
        """Take that it is ``time_s`` now, end tracks, and return the shots that are due."""
        due = [
            self._shot(id)
            for id, best in self._tracks.items()
            if self._is_person(id) and self._is_due(best, time_s)
        ]
        return due + self.close(ended)

    def close(self, ended: Sequence[int]) -> list[Shot]:
        """End tracks and return the shots of those that had none sealed, or a lesser one."""
        shots = []
        for id in ended:
            best = self._tracks[id]
            if not self._is_person(id):
                self.passing += 1
            else:
                self._people_gone += 1
                if best.emitted != best.version:
                    shots.append(self._shot(id))
            del self._tracks[id]
            self._presence.forget(id)
        return shots

    def finish(self) -> list[Shot]:
        """End all tracks: no frame comes any more."""
        self._presence.finish()
        return self.close(tuple(self._tracks))

    def _see(self, frame: Frame, track: Track, order: float, components: Floats) -> None:
        best = self._tracks.setdefault(track.id, _Best(frame.time_s, components, components))
        best.hits = track.hits
        best.worst = min(best.worst, order)
        best.most = np.maximum(best.most, components)
        won = order > best.order
        if won:
            best.order, best.components = order, components
            best.frame, best.time_s = frame.index, frame.time_s
            best.utc, best.at_s = self._now(), self._monotonic()
            x0, y0, x1, y1 = (float(v) for v in track.face.box)
            best.box = (x0, y0, x1, y1)
            region = square(track.face.box, self._choice.margin)
            best.image = cut_inside(frame.pixels, *region).copy()
            height, width, _ = frame.pixels.shape
            corner = np.clip(region[:2], 0, (width - 1, height - 1)).astype(np.float32)
            best.landmarks = track.face.landmarks - corner
        if self._choice.clip_s:
            self._film(best, frame, track, won)

    def _film(self, best: _Best, frame: Frame, track: Track, won: bool) -> None:
        picture = cut(frame.pixels, *square(track.face.box, self._choice.margin))
        picture = np.asarray(
            cv2.resize(picture, (CLIP_PX, CLIP_PX), interpolation=cv2.INTER_AREA), np.uint8
        )
        _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, CLIP_JPEG_QUALITY])
        best.recent.append((frame.time_s, jpeg.tobytes()))
        while best.recent[0][0] < frame.time_s - self._choice.clip_s:
            best.recent.popleft()
        if won:
            best.clip = list(best.recent)
        elif frame.time_s <= best.time_s + self._choice.clip_s:
            best.clip.append(best.recent[-1])

    def _is_due(self, best: _Best, time_s: float) -> bool:
        if self._emit.when == "live":
            return best.emitted is None or best.emitted[0] != best.frame
        if self._emit.when == "timely":
            return best.emitted is None and time_s - best.first_s >= self._emit.within_s
        return False

    def _utc_of(self, best: _Best) -> datetime:
        """Return when it was seen, by the system's clock as that is set now."""
        by_now = self._now() - timedelta(seconds=self._monotonic() - best.at_s)
        return best.utc if abs(by_now - best.utc) < SET else by_now

    def _shot(self, id: int) -> Shot:
        best = self._tracks[id]
        assert best.image is not None
        assert best.landmarks is not None
        best.emitted = best.version
        score, worst = best.score(best.order), best.score(best.worst)
        percentile = self._percentile(score)
        more = self._explain(best.components, best.most)
        return Shot(
            track=id,
            frame=best.frame,
            time_s=best.time_s,
            utc=self._utc_of(best).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            box=best.box,
            score=score,
            percentile=percentile,
            frames_seen=best.hits,
            reason=(
                f"highest score of {best.hits} frames: {score:.1f} "
                f"(above {percentile:.0f} % of the photographs that the score was trained on); "
                f"the lowest was {self._about}{worst:.1f}"
                f"{more and f'; counted beside the quality: {more}'}"
                f"; told, but not counted by itself: {tell(best.image, best.landmarks)}"
            ),
            image=best.image,
            clip=tuple(best.clip),
        )
