"""What is remembered of each track while a video runs, in memory that does not grow with time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import cv2
import numpy as np

from sealshot.runtime.crops import cut, square
from sealshot.runtime.pipeline.sinks import Seen
from sealshot.runtime.types import Floats, Frame, Image

T = TypeVar("T")

POINTS, THUMBS, SCENES = 2000, 48, 12
"""Of a track: scores, small crops. Of a video: whole frames."""
THUMB_PX = 112
SCENE_PX = 1280
"""The longest side of a whole frame as it is kept."""
JPEG_QUALITY = 90


class Thinned(Generic[T]):
    """At most ``limit`` items of a stream of any length, evenly spaced, the first among them.

    When it is full, every other item goes, and from then on every other one is taken.
    """

    def __init__(self, limit: int) -> None:
        if limit < 2 or limit % 2:
            raise ValueError(f"the limit is {limit}, not an even number of 2 or more")
        self.items: list[T] = []
        self._limit, self._stride, self._offered = limit, 1, 0

    def offer(self, make: Callable[[], T]) -> None:
        """Take the next item; ``make`` is only called if it is kept."""
        if self._offered % self._stride == 0:
            if len(self.items) == self._limit:
                del self.items[1::2]
                self._stride *= 2
            self.items.append(make())
        self._offered += 1


@dataclass(frozen=True, slots=True)
class Point:
    """A track in one frame."""

    frame: int
    time_s: float
    order: float
    """See :class:`~sealshot.runtime.types.Ratings`."""


@dataclass(frozen=True, slots=True)
class Thumb:
    """A small crop of a track: the square that was scored, in colour."""

    point: Point
    jpeg: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """A track in a whole frame."""

    track: int
    box: Floats
    """``float32 [4]``, pixels of the kept picture."""
    score: float
    """As it stood then."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A whole frame, shrunk, and the tracks in it."""

    frame: int
    time_s: float
    jpeg: bytes
    marks: tuple[Mark, ...]


@dataclass(eq=False)
class History:
    """One track so far."""

    first_s: float
    last_s: float = -np.inf
    best: float = -np.inf
    """The highest order."""
    worst: float = np.inf
    most: Floats | None = None
    """The highest of each component, see :class:`~sealshot.runtime.types.Ratings`."""
    scene: Scene | None = None
    """The frame with the highest score."""
    points: Thinned[Point] = field(default_factory=lambda: Thinned(POINTS))
    thumbs: Thinned[Thumb] = field(default_factory=lambda: Thinned(THUMBS))

    def score(self, order: float) -> float:
        """Return the score of a frame by its order, as the shot of the track tells it."""
        return order - self._ahead

    def order(self, score: float) -> float:
        """Return the order of a frame by its score: see :meth:`score`."""
        return score + self._ahead

    @property
    def _ahead(self) -> float:
        return 0.0 if self.most is None else float(self.most.sum())

    def add(self, point: Point, components: Floats, image: Image, box: Floats) -> bool:
        """Take the track's next frame; return whether it is the best so far."""
        self.points.offer(lambda: point)
        self.thumbs.offer(lambda: Thumb(point, thumb_of(cut(image, *square(box)))))
        self.last_s = point.time_s
        self.worst = min(self.worst, point.order)
        self.most = components if self.most is None else np.maximum(self.most, components)
        is_best = point.order > self.best
        self.best = max(self.best, point.order)
        return is_best


class Recorder:
    """Remembers what a watcher saw of each open track, until :meth:`take` asks for it."""

    def __init__(self) -> None:
        self._open: dict[int, History] = {}
        self.scenes: Thinned[Scene] = Thinned(SCENES)
        """Frames with faces, over the whole video."""

    def add(self, seen: Seen) -> None:
        """Take what one frame gave."""
        frame, scores, winners = seen.frame, [], []
        rated = zip(seen.scores.tolist(), seen.ratings.components, strict=True)
        for track, (order, components) in zip(seen.tracks.seen, rated, strict=True):
            history = self._open.setdefault(track.id, History(first_s=frame.time_s))
            point = Point(frame.index, frame.time_s, order)
            if history.add(point, components, frame.image, track.face.box):
                winners.append(history)
            scores.append(history.score(order))
        scene = scene_of(seen, scores) if winners else None
        for history in winners:
            history.scene = scene
        if seen.tracks.seen:
            self.scenes.offer(lambda: scene or scene_of(seen, scores))

    def take(self, track: int) -> History:
        """Return what is known of a track, and forget it."""
        return self._open.pop(track)


def scene_of(seen: Seen, scores: Sequence[float]) -> Scene:
    """Shrink a frame and keep where its tracks are, and their scores."""
    image, scale = _shrink(seen.frame)
    marks = tuple(
        Mark(track.id, track.face.box * np.float32(scale), score)
        for track, score in zip(seen.tracks.seen, scores, strict=True)
    )
    return Scene(seen.frame.index, seen.frame.time_s, encode(image), marks)


def thumb_of(image: Image) -> bytes:
    """Return a square picture ``uint8 [side, side, 3]`` as a small JPEG."""
    shrink = len(image) > THUMB_PX
    way = cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
    return encode(np.asarray(cv2.resize(image, (THUMB_PX, THUMB_PX), interpolation=way), np.uint8))


def encode(image: Image, suffix: str = ".jpg") -> bytes:
    """Return a picture as the bytes of a file."""
    _, data = cv2.imencode(suffix, image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes()


def decode(data: bytes) -> Image:
    """Return the picture that :func:`encode` made a file of."""
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _shrink(frame: Frame) -> tuple[Image, float]:
    height, width = frame.image.shape[:2]
    scale = min(1.0, SCENE_PX / max(height, width))
    if scale == 1:
        return frame.image, scale
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), scale
