"""What to run on, and how: all that a user can set of the stages from source to best shots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from sealshot.runtime.detect import MIN_FACE_PX
from sealshot.runtime.sources.mask import Polygon
from sealshot.runtime.sources.tls import Tls
from sealshot.runtime.weights import DEFAULT_SCORE


@dataclass(frozen=True)
class Emit:
    """When the best shot of a person leaves the camera's memory to be sealed."""

    when: Literal["end", "timely", "live"] = "end"
    """``end``: after the person left. ``timely``: at most ``within_s`` after the first detection,
    and again at the end if a better one came. ``live``: each improvement."""
    within_s: float = 0.0


@dataclass(frozen=True)
class Choice:
    """What is kept of a person, and how."""

    margin: float = 0.5
    """Added on each side of the face square, as a share of its side."""
    clip_s: float = 0.0
    """Seconds of clip before and after the best frame; 0 keeps none."""


@dataclass(frozen=True)
class Settings:
    """What to run on, and how."""

    source: str
    cameras: int = 1
    """How many sources are watched at once by this process, this one included."""
    detector: str = "mtcnn"
    tracker: str = "bytetrack"
    score: str = DEFAULT_SCORE
    engine: str = "auto"
    precision: str = "auto"
    min_face_px: int = MIN_FACE_PX
    min_seen_s: float = 0.2
    """Who is seen for less, by the source's own times, is a false alarm, not a person. Where the
    frames are further apart than this one detection is enough. Of a source that is
    shorter whoever is in all of it is a person; see :class:`Presence`."""
    stills: bool = False
    """The pictures have nothing to do with each other: each face in each is a person. ``tracker``
    and ``min_seen_s`` mean nothing then."""
    rests: bool = False
    """Whether a face that is far from its best need not be rated in each frame: it costs less where
    nobody asks for more than the best; see :mod:`sealshot.runtime.pipeline.resting`."""
    emit: Emit = Emit()
    choice: Choice = Choice()
    masks: tuple[Polygon, ...] = ()
    """What nothing may look at."""
    zones: tuple[Polygon, ...] = ()
    """Where there are any, nothing may look outside of them."""
    fps: float | None = None
    aspect: Fraction | None = None
    """Width over height of the picture as it is to be shown; None takes what the source says."""
    tls: Tls = Tls()
    """Whom a source over TLS is believed."""
    start_time: datetime | None = None
    """When the first frame of a recording was taken; None takes what its file says."""
    decoded: bool = False
    """Whether frames are to hold what FFmpeg decoded, for sinks that want it."""
    sandbox: bool = True
    """Whether FFmpeg reads in a process of its own that holds nothing; see :func:`open_source`."""
    hwaccel: str | None = None
    """Device that is to decode what FFmpeg reads, as ``cuda``; it needs ``sandbox`` to be False."""
    give_up_after_s: float | None = None
    stop_after_s: float | None = None
    """Of the source's own time."""
