"""What it costs to look at parts of the frames of a video: the default beside full passes of it.

Both have the same networks and settings; one looks at all of every frame. A third one does so too,
with the picture moved by one pixel: MTCNN then finds other faces near its threshold, so who is lost
to that is not lost to thrift.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sealshot.benchmarks.accuracy.detection import SEEN_PX, shifted
from sealshot.benchmarks.accuracy.tracking import SAME_FACE_IOU, Boxes, Followed
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.detect import EveryFrame, Finder, open_detector, open_finder
from sealshot.runtime.detect.boxes import iou
from sealshot.runtime.planes import bgr_of
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.types import Face, Floats, Frame, Pixels

FULL, DEFAULT, MOVED = "full passes", "the default", "full passes, moved 1 px"


class _Moved(EveryFrame):
    """Full passes over pictures that are moved by one pixel."""

    def look(self, time_s: float, image: Pixels) -> Callable[[], list[Face]]:
        """See :meth:`Finder.look`."""
        moved = np.pad(bgr_of(image), ((1, 0), (1, 0), (0, 0)), mode="edge")
        rest = super().look(time_s, moved)
        return lambda: [shifted(face, -1, -1) for face in rest()]


@dataclass
class _Way:
    """One way through a clip, and what came of it."""

    finder: Finder
    followed: Followed
    faces: list[list[Face]]
    cpu_s: float = 0.0

    def take(self, frame: Frame) -> None:
        start = time.thread_time()
        found = self.finder.look(frame.time_s, frame.pixels)()
        self.cpu_s += time.thread_time() - start
        self.faces.append(found)
        self.followed.update(frame, found, draw=False)


def follow(clip: Path, count: int, every: int = 1) -> list[dict[str, Any]]:
    """Go all three ways through the first ``count`` frames of a clip; a row for each.

    Args:
        clip: a recording.
        count: how many of its frames at most.
        every: take one of so many of these, as a slower camera would give them.

    Raises:
        InputError: the clip cannot be read.
    """
    detector = open_detector("mtcnn", threads=1)
    finders = {FULL: EveryFrame(detector), DEFAULT: open_finder(detector), MOVED: _Moved(detector)}
    ways = {name: _Way(finder, Followed("bytetrack"), []) for name, finder in finders.items()}
    with open_source(str(clip)) as source, progress(clip.name, source.frames) as bar:
        for frame in islice(frames_of(source), 0, count, every):
            for way in ways.values():
                way.take(frame)
            bar.update(frame.index + 1, "")
    full = ways[FULL]
    people = full.followed.people()
    return [
        {
            "clip": clip.name,
            "way": name,
            f"faces of {SEEN_PX} px": sum(len(_large(faces)) for faces in full.faces),
            "found": _share(full.faces, way.faces),
            "people": len(people),
            "people missed": sum(not _among(one, way.followed) for one in people.values()),
            "people in all": len(way.followed.people()),
            "cpu ms": 1e3 * way.cpu_s / max(1, len(way.faces)),
        }
        for name, way in ways.items()
    ]


def _share(reference: Sequence[Sequence[Face]], found: Sequence[Sequence[Face]]) -> float | None:
    """Return which share of the large faces of the reference was found; None if it has none."""
    best = [
        iou(_boxes(_large(wanted)), _boxes(faces)).max(axis=1, initial=0)
        for wanted, faces in zip(reference, found, strict=True)
    ]
    flat = np.concatenate([*best, np.empty(0)])
    return float(np.mean(flat > SAME_FACE_IOU)) if len(flat) else None


def _among(person: Boxes, followed: Followed) -> bool:
    """Say whether one of those followed is, in some frame, this person."""
    places = dict(person)
    return any(
        frame in places and iou(places[frame][None], box[None])[0, 0] > SAME_FACE_IOU
        for track in followed.people().values()
        for frame, box in track
    )


def _large(faces: Sequence[Face]) -> list[Face]:
    return [face for face in faces if face.box[2] - face.box[0] >= SEEN_PX]


def _boxes(faces: Sequence[Face]) -> Floats:
    return np.asarray([face.box for face in faces], np.float32).reshape(-1, 4)
