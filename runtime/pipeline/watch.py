"""From frames to best shots: detect, track, score, select. Knows nothing of sealing or printing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.detect import Detector
from sealshot.runtime.engines import Scorer
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.pipeline.select import Selector
from sealshot.runtime.track import Tracker
from sealshot.runtime.types import Face, Floats, Frame, Shot, Tracks


@dataclass
class Stopwatch:
    """Busy seconds of each stage. A stage is timed by one thread only."""

    busy_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.busy_s[stage] = self.busy_s.get(stage, 0.0) + time.perf_counter() - start

    def timed(self, stage: str, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on and add the time of getting each to a stage."""
        source = iter(frames)
        while True:
            with self.time(stage):
                frame = next(source, None)
            if frame is None:
                return
            yield frame


@dataclass(frozen=True, eq=False)
class Seen:
    """What one frame gave."""

    frame: Frame
    tracks: Tracks
    scores: Floats
    """``float32 [n]``, one for each of ``tracks.seen``."""
    due: tuple[Shot, ...]
    """Shots to be sealed now."""


def find_faces(
    frames: Iterable[Frame], detector: Detector, watch: Stopwatch
) -> Iterator[tuple[Frame, list[Face]]]:
    """Detect the faces of each frame."""
    for frame in frames:
        with watch.time("detect"):
            faces = detector.detect(frame.image)
        yield frame, faces


class Watcher:
    """Follows, scores and selects: takes the faces of a frame, gives the shots that are due."""

    def __init__(
        self, tracker: Tracker, engine: Scorer, selector: Selector, watch: Stopwatch
    ) -> None:
        self._tracker, self._engine, self._selector = tracker, engine, selector
        self._watch = watch

    def step(self, frame: Frame, faces: list[Face]) -> Seen:
        """Take one frame.

        Raises:
            SealshotError: the engine gave a score that is no number.
        """
        with self._watch.time("track"):
            tracks = self._tracker.update(frame.time_s, faces)
        with self._watch.time("score"):
            crops = crop_resize_grey(frame.image, [t.face.box for t in tracks.seen])
            scores = self._engine.score_tracks(crops, tracks)
        if not np.isfinite(scores).all():
            raise SealshotError(
                f"the engine gave a score that is no number in frame {frame.index}",
                hint="check the model file with `sealshot erc`, or use another --engine",
            )
        with self._watch.time("select"):
            due = self._selector.update(frame, tracks, scores.tolist())
        return Seen(frame, tracks, scores, tuple(due))

    def finish(self) -> tuple[Shot, ...]:
        """End all tracks and return their shots."""
        self._tracker.flush()
        return tuple(self._selector.finish())
