"""The source, and the stages from faces to best shots, opened as a user set them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np

from sealshot.runtime.detect import Detector, EveryFrame, Finder, open_detector, open_finder
from sealshot.runtime.engines import Scorer, open_for_tracks
from sealshot.runtime.engines.shared import shared
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.pipeline.heap import one_heap
from sealshot.runtime.pipeline.resting import Resting
from sealshot.runtime.pipeline.select import Selector
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Beat, End, Seen
from sealshot.runtime.processors import processors
from sealshot.runtime.sandbox.process import dismiss
from sealshot.runtime.sources import Source, open_source
from sealshot.runtime.sources.mask import Mask
from sealshot.runtime.track import Tracker, open_tracker
from sealshot.runtime.track.stills import Stills
from sealshot.runtime.types import Face, Frame, Heartbeat, Tracks
from sealshot.runtime.weights import score_graph

T = TypeVar("T")

NO_CROPS = np.empty((0, 1, 64, 64), np.uint8)


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

    def timed(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """Pass items on and add the time of getting each to a stage."""
        source = iter(items)
        while True:
            with self.time(stage):
                item = next(source, None)
            if item is None:
                return
            yield item
            del item  # which may be large


class Watcher:
    """Follows, scores and selects: takes the faces of a frame, gives the shots that are due."""

    def __init__(
        self,
        tracker: Tracker,
        engine: Scorer,
        selector: Selector,
        stopwatch: Stopwatch,
        resting: Resting | None = None,
    ) -> None:
        """Start before the first frame.

        Args:
            tracker: follows faces.
            engine: rates them.
            selector: keeps the best of each.
            stopwatch: is told how long that took.
            resting: lets some not be rated; None: each face of each frame is.
        """
        self._tracker, self._engine, self._selector = tracker, engine, selector
        self._stopwatch, self._resting = stopwatch, resting

    def step(self, frame: Frame, faces: list[Face]) -> Seen:
        """Take one frame.

        Raises:
            SealshotError: the engine gave a score that is no number.
        """
        with self._stopwatch.time("track"):
            tracks = self._tracker.update(frame.time_s, faces)
        with self._stopwatch.time("score"):
            awake = self._resting.awake(frame.time_s, tracks) if self._resting else tracks
            ratings = self._engine.rate_frame(frame.pixels, awake)
            if self._resting:
                ratings = self._resting.complete(frame.time_s, tracks, awake, ratings)
        if not np.isfinite(ratings.order).all():
            raise SealshotError(
                f"the engine gave a score that is no number in frame {frame.index}",
                hint="check the model file with `sealshot erc`, or use another --engine",
            )
        with self._stopwatch.time("select"):
            due = self._selector.update(frame, tracks, ratings)
        return Seen(frame, tracks, ratings, tuple(due), self._selector.people_seen)

    def beat(self, beat: Heartbeat) -> Beat:
        """Take that time went on without a frame."""
        ended = self._tracker.advance(beat.time_s)
        if ended:
            self._engine.rate_tracks(NO_CROPS, Tracks((), ended))  # it may remember each track
            if self._resting:
                self._resting.forget(ended)
        due = self._selector.advance(beat.time_s, ended)
        return Beat(beat.time_s, ended, tuple(due), self._selector.people_seen)

    def finish(self, *, interrupted: bool = False, failure: Exception | None = None) -> End:
        """End all tracks."""
        ended = self._tracker.flush()
        due = self._selector.finish()
        return End(ended, tuple(due), self._selector.people_seen, interrupted, failure)


@dataclass(frozen=True, eq=False)
class Stages:
    """What works on the frames of one source."""

    finder: Finder
    engine: Scorer
    selector: Selector
    watcher: Watcher
    stopwatch: Stopwatch
    alone: bool = True
    """Whether no other source is watched at once."""


def open_watched(settings: Settings) -> Source:
    """Open the source of settings as they say, and read its first frame.

    Raises:
        InputError: there is nothing there that sealshot can read.
    """
    one_heap()  # before the thread of a camera has one of its own
    source = open_source(
        settings.source,
        fps=settings.fps,
        give_up_after_s=settings.give_up_after_s,
        aspect=settings.aspect,
        tls=settings.tls,
        stills=settings.stills,
        decoded=settings.decoded,
        sandbox=settings.sandbox,
        hwaccel=settings.hwaccel,
    )
    dismiss()
    if settings.masks or settings.zones:
        source.mask = Mask(settings.masks, settings.zones)
    return source


def open_stages(settings: Settings) -> Stages:
    """Open detector, tracker, engine and selector.

    Args:
        settings: which ones.

    Raises:
        InputError: one of them does not exist, or its file is missing or wrong.
    """
    (stages,) = open_many([settings])
    return stages


def open_many(every: Sequence[Settings]) -> list[Stages]:
    """Open the stages of several sources that are watched at once.

    Those that name the same detector or the same engine share its networks, and what they take of
    memory; whom they follow is each one's own.

    Raises:
        InputError: see :func:`open_stages`.
    """
    alone = len(every) == 1 and every[0].cameras == 1
    # to look and to find run side by side; several sources share the processors anyhow
    threads = max(1, processors() // 2) if alone else 1
    one_heap()
    # OpenCV's own, which are the process's, take longer to wake than what it does to a frame takes
    cv2.setNumThreads(1)
    detectors: dict[object, Detector] = {}
    engines: dict[object, list[Scorer]] = {}
    named = Counter(map(_engine_of, every))
    for settings in every:
        detector, engine = _detector_of(settings), _engine_of(settings)
        if detector not in detectors:
            spec, least = detector
            detectors[detector] = open_detector(spec, min_face_px=least, threads=threads)
        if engine not in engines:
            score, name, precision = engine
            opened = open_for_tracks(score_graph(score), name, precision, threads=threads)
            engines[engine] = shared(opened, named[engine])
    return [
        _stages(
            settings, detectors[_detector_of(settings)], engines[_engine_of(settings)].pop(), alone
        )
        for settings in every
    ]


def _detector_of(settings: Settings) -> tuple[str, int]:
    return settings.detector, settings.min_face_px


def _engine_of(settings: Settings) -> tuple[str, str, str]:
    return settings.score, settings.engine, settings.precision


def _stages(settings: Settings, detector: Detector, engine: Scorer, alone: bool) -> Stages:
    selector = Selector(
        engine.manifest.percentile,
        settings.emit,
        settings.choice,
        0.0 if settings.stills else settings.min_seen_s,
        settings.rests or engine.estimates,
        engine.explain,
    )
    stopwatch = Stopwatch()
    tracker = Stills() if settings.stills else open_tracker(settings.tracker)
    finder = EveryFrame(detector) if settings.stills else open_finder(detector)
    resting = Resting() if settings.rests else None
    watcher = Watcher(tracker, engine, selector, stopwatch, resting)
    return Stages(finder, engine, selector, watcher, stopwatch, alone)
