"""The stages from faces to best shots, opened as a user set them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from sealshot.runtime.detect import MIN_FACE_PX, Detector, open_detector
from sealshot.runtime.engines import Scorer, open_for_tracks
from sealshot.runtime.pipeline.select import Choice, Emit, Selector
from sealshot.runtime.pipeline.watch import Stopwatch, Watcher
from sealshot.runtime.track import open_tracker
from sealshot.runtime.weights import DEFAULT_SCORE, score_graph

MIN_HITS = 3
"""Detections that make a person where the frame rate is not known."""


@dataclass(frozen=True)
class Settings:
    """What to run on, and how."""

    source: str
    detector: str = "mtcnn"
    tracker: str = "bytetrack"
    score: str = DEFAULT_SCORE
    engine: str = "auto"
    precision: str = "auto"
    min_face_px: int = MIN_FACE_PX
    min_seen_s: float = 0.2
    """Who is detected in fewer frames than this lasts is a false alarm, not a person."""
    emit: Emit = Emit()
    choice: Choice = Choice()
    fps: float | None = None
    give_up_after_s: float | None = None
    stop_after_s: float | None = None
    """Of the source's own time."""


@dataclass(frozen=True, eq=False)
class Stages:
    """What works on the frames of one source."""

    detector: Detector
    engine: Scorer
    selector: Selector
    watcher: Watcher
    stopwatch: Stopwatch


def open_stages(settings: Settings, fps: float | None) -> Stages:
    """Open detector, tracker, engine and selector.

    Args:
        settings: which ones.
        fps: frame rate of the source, where it is known.

    Raises:
        InputError: one of them does not exist, or its file is missing or wrong.
    """
    threads = max(1, (os.cpu_count() or 1) // 2)  # detection and the rest run side by side
    score = score_graph(settings.score)
    engine = open_for_tracks(score, settings.engine, settings.precision, threads=threads)
    detector = open_detector(settings.detector, min_face_px=settings.min_face_px, threads=threads)
    min_hits = math.ceil(settings.min_seen_s * fps) if fps else MIN_HITS
    selector = Selector(engine.manifest.percentile, settings.emit, settings.choice, min_hits)
    stopwatch = Stopwatch()
    watcher = Watcher(open_tracker(settings.tracker), engine, selector, stopwatch)
    return Stages(detector, engine, selector, watcher, stopwatch)
