"""The data that flows through sealshot, from frames to best shots.

Every stage takes one of these types and gives the next one. All are immutable. Images are
``uint8`` BGR arrays ``[height, width, 3]``; pixels are that, or planes that BGR is made of. Boxes
are ``float32 [4]``: ``x0, y0, x1, y1`` in pixels of the full frame, ``x1`` and ``y1`` exclusive;
they may reach outside the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.sandbox.shape import Turn

if TYPE_CHECKING:
    import av

    from sealshot.runtime.planes import Planes  # which loads OpenCV

Image = NDArray[np.uint8]
Pixels: TypeAlias = "Image | Planes"
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """A picture as FFmpeg decoded it, in the colours, size and position of the stream."""

    frame: av.VideoFrame
    turn: Turn = Turn()
    """What makes it upright."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source."""

    index: int
    """Frames read from the source before this one."""
    time_s: float
    """Seconds since the first frame: presentation time of a file, monotonic clock of a camera."""
    pixels: Pixels
    decoded: Raw | Planes | None = None
    """The very ``pixels`` where those are planes. None where something else than FFmpeg read it, or
    nobody wants it."""

    @property
    def image(self) -> Image:
        """``uint8 [h, w, 3]``, BGR; where ``pixels`` are planes it is made of them once."""
        return self.pixels if isinstance(self.pixels, np.ndarray) else self.pixels.bgr


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """No frame came, and time goes on: a live source gives one a second at least while it waits."""

    time_s: float
    """Seconds since the first frame, by the clock of the frames; never before one given earlier."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One detected face."""

    box: Floats
    """``float32 [4]``, pixels of the frame."""
    score: float
    """The detector's confidence, 0 to 1."""
    landmarks: Floats
    """``float32 [5, 2]``, x and y in pixels of the frame: the eye on the left of the picture, the
    eye on the right, nose, mouth corner on the left, mouth corner on the right."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One person as seen in one frame: an identifier that is never used twice, and the face."""

    id: int
    face: Face
    hits: int
    """Frames in which this track was detected so far, this one included."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """What a tracker says of one frame."""

    seen: tuple[Track, ...]
    """The tracks that have a detection in this frame."""
    ended: tuple[int, ...]
    """Identifiers of tracks that ended: they will never be seen again."""


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """What a scorer says of the faces of one frame."""

    quality: Floats
    """``float32 [n]``: of each picture by itself; higher is better."""
    components: Floats
    """``float32 [n, c]``, 0 or less, in units of the quality: what else counts, such as how far the
    eyes are from wide open; c is 0 where nothing does. People differ in their eyes, so it is for
    one track alone."""

    @classmethod
    def of(cls, quality: Floats, components: Floats | None = None) -> Ratings:
        """Return ratings; without ``components`` those of a score that heeds the picture alone."""
        return cls(
            quality, np.empty((len(quality), 0), np.float32) if components is None else components
        )

    @property
    def order(self) -> Floats:
        """``float32 [n]``: of the frames of one track the highest is the best."""
        ordered: Floats = self.quality + self.components.sum(axis=1)
        return ordered


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """The best view of one person so far. Plain: it lives in memory only, until it is sealed."""

    track: int
    frame: int
    """Index of the frame in its source."""
    time_s: float
    """Seconds since the first frame of the source."""
    utc: str
    """When the picture was taken, ISO 8601 with ``Z``; for a file, when it was processed."""
    box: tuple[float, float, float, float]
    """The face, pixels of the frame."""
    score: float
    """Quality score (log RP, or what the score graph's manifest names), less what its eyes, its
    mouth and the turn of its head are behind the best of the track so far. Higher is better."""
    percentile: float
    """Share of the score graph's training set with a lower score, 0 to 100."""
    frames_seen: int
    """Frames in which the person was detected up to this moment."""
    reason: str
    """Why this shot won, and how well its face is to be seen: parts with ``; `` between them."""
    image: Image
    """``uint8 [h, w, 3]`` BGR: the full-resolution crop with margin."""
    clip: tuple[tuple[float, bytes], ...] = ()
    """``(time_s, JPEG)`` of the same region around the best frame; empty without ``--clip``."""
